package ringfence.windows.rdp_weak_encryption_test

import data.ringfence.windows.rdp_weak_encryption as check

_set(value) := {"state": "present", "value": value, "policy": false}

_absent := {"state": "absent", "value": "", "policy": false}

_error := {"state": "error", "value": "", "policy": false}

_doc(layer, nla, level) := {"windowsRDP": {
	"fDenyTSConnections": _set("0"), "SecurityLayer": layer, "UserAuthentication": nla, "MinEncryptionLevel": level, "FipsAlgorithmPolicy": _set("0"),
}}

_severities(doc) := {f.resource.key: object.get(f, "severity", "medium") | some f in check.finding with input as doc}

_reasons(doc) := {u.reason | some u in check.unknown with input as doc}

test_own_encryption_fails if {
	_severities(_doc(_set("0"), _set("1"), _set("3"))) == {"Remote Desktop SecurityLayer": "medium"}
	_reasons(_doc(_set("0"), _set("1"), _set("3"))) == set()
	_severities(_doc(_set("0"), _set("0"), _set("1"))) == {"Remote Desktop SecurityLayer": "medium", "Remote Desktop MinEncryptionLevel": "medium"}
	_severities(_doc(_set("1"), _set("0"), _set("2"))) == {"Remote Desktop SecurityLayer": "low", "Remote Desktop MinEncryptionLevel": "low"}
}

test_tls_passes if {
	every doc in [_doc(_set("2"), _set("0"), _set("1")), _doc(_set("1"), _set("1"), _set("1")), _doc(_absent, _set("1"), _absent), _doc(_set("2"), _error, _error)] {
		_severities(doc) == {}
		_reasons(doc) == set()
	}
}

test_unread_is_unknown if {
	_reasons(_doc(_absent, _set("0"), _set("3"))) == {"SecurityLayer is set nowhere, and network level authentication, with which it would not matter, is not known to be on"}
	_reasons(_doc(_error, _set("1"), _set("3"))) == {"SecurityLayer was not read"}
	_reasons(_doc(_set("1"), _error, _set("3"))) == {"SecurityLayer is 1, and whether network level authentication is on was not read"}
	_reasons(_doc(_set("7"), _set("1"), _set("3"))) == {"SecurityLayer is 7, which no version is known to have"}
	_reasons(_doc(_set("0"), _set("0"), _error)) == {"MinEncryptionLevel was not read"}
	_reasons(_doc(_set("0"), _set("0"), _absent)) == {"MinEncryptionLevel is set nowhere, and what counts then is not known"}
	_reasons({"windowsRDP": {"fDenyTSConnections": _error}}) == {"whether it is on was not read"}
}

_with_fips(fips) := {"windowsRDP": object.union(object.remove(_doc(_set("0"), _set("0"), _set("1")).windowsRDP, ["FipsAlgorithmPolicy"]), fips)}

test_fips_wins_over_the_level if {
	_severities(_with_fips({"FipsAlgorithmPolicy": _set("1")})) == {"Remote Desktop SecurityLayer": "medium"}
	_reasons(_with_fips({"FipsAlgorithmPolicy": _set("1")})) == set()
	_severities(_with_fips({})) == {"Remote Desktop SecurityLayer": "medium"}
	count(_reasons(_with_fips({}))) == 1
}

test_a_policy_is_told if {
	some f in check.finding with input as _doc({"state": "present", "value": "0", "policy": true}, _set("1"), _set("3"))
	f.evidence == ["SecurityLayer is 0 by a policy"]
	f.remediation[0].kind == "words"
}

test_off_is_not_applicable if check.not_applicable with input as {"windowsRDP": {"fDenyTSConnections": _set("1")}}
