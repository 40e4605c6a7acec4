package ringfence.windows.rdp_without_nla_test

import data.ringfence.windows.rdp_without_nla as check

_set(value) := {"state": "present", "value": value, "policy": false}

_doc(deny, nla) := {"windowsRDP": {"fDenyTSConnections": deny, "UserAuthentication": nla, "SecurityLayer": _set("2")}}

test_without_fails if count(check.finding) == 1 with input as _doc(_set("0"), _set("0"))

test_with_passes if {
	count(check.finding) == 0 with input as _doc(_set("0"), _set("1"))
	count(check.unknown) == 0 with input as _doc(_set("0"), _set("1"))
}

test_off_is_not_applicable if check.not_applicable with input as _doc(_set("1"), _set("0"))

test_unread_is_unknown if count(check.unknown) == 1 with input as _doc({"state": "error", "value": "", "policy": false}, _set("1"))

test_without_tls_is_unknown if {
	every layer in [_set("0"), {"state": "denied", "value": "", "policy": false}] {
		doc := {"windowsRDP": object.union(_doc(_set("0"), _set("1")).windowsRDP, {"SecurityLayer": layer})}
		count(check.unknown) == 1 with input as doc
	}
}

test_what_a_policy_sets_is_changed_there if {
	some f in check.finding with input as _doc(_set("0"), {"state": "present", "value": "0", "policy": true})
	f.remediation[0].kind == "words"
	f.evidence == ["UserAuthentication is 0 by a policy"]
}
