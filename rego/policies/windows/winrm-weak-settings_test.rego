package ringfence.windows.winrm_weak_settings_test

import data.ringfence.windows.winrm_weak_settings as check

_absent := {"state": "absent", "value": "", "policy": false}

_doc(changes) := {
	"windowsTokens": _absent,
	"windowsWinRM": {
		"listeners": [{"enabled": true}], "open": [],
		"settings": object.union({"auth_basic": _absent, "allow_unencrypted": _absent, "auth_credssp": _absent, "cbt_hardening_level": _absent, "trusted_hosts": _absent}, changes),
	},
}

_set(value) := {"state": "present", "value": value, "policy": false}

_without(settings) := {"windowsWinRM": {"listeners": [], "open": [], "settings": settings}, "windowsTokens": _absent}

test_basic_fails if count(check.finding) == 1 with input as _doc({"auth_basic": _set("1")})

test_defaults_pass if {
	count(check.finding) == 0 with input as _doc({})
	count(check.unknown) == 0 with input as _doc({})
}

test_zero_passes if count(check.finding) == 0 with input as _doc({"allow_unencrypted": _set("0")})

test_unread_is_unknown if count(check.unknown) == 1 with input as _doc({"auth_basic": {"state": "error", "value": "", "policy": false}})

test_tokens_fail if count(check.finding) == 1 with input as object.union(_doc({}), {"windowsTokens": _set("1")})

test_without_a_listener if check.not_applicable with input as _without({"trusted_hosts": _absent})

test_everyone_fails if {
	count(check.finding) == 1 with input as object.union(_doc({}), {"windowsWinRM": object.union(_doc({}).windowsWinRM, {"open": ["S-1-1-0"]})})
}

test_no_channel_binding_fails if {
	some f in check.finding with input as _doc({"cbt_hardening_level": _set("None")})
	f.severity == "low"
}

test_some_channel_binding_passes if count(check.finding) == 0 with input as _doc({"cbt_hardening_level": _set("Relaxed")})

test_unread_channel_binding_is_unknown if {
	count(check.unknown) == 1 with input as _doc({"cbt_hardening_level": {"state": "error", "value": "", "policy": false}})
}

# A host that takes no connections may still send its own anywhere.
test_trusts_everybody_without_a_listener if {
	some f in check.finding with input as _without({"trusted_hosts": _set("server1, *")})
	f.severity == "medium"
	not check.not_applicable with input as _without({"trusted_hosts": _set("*")})
}

test_trusts_a_domain_passes if count(check.finding) == 0 with input as _doc({"trusted_hosts": _set("*.corp.example")})

test_unread_trust_is_unknown if {
	count(check.unknown) == 1 with input as _without({"trusted_hosts": {"state": "error", "value": "", "policy": false}})
	not check.not_applicable with input as _without({"trusted_hosts": {"state": "error", "value": "", "policy": false}})
}

test_what_a_policy_sets_is_changed_there if {
	some f in check.finding with input as _doc({"auth_basic": {"state": "present", "value": "1", "policy": true}})
	f.evidence == ["auth_basic is 1 by a policy"]
	f.remediation[0].kind == "words"
}
