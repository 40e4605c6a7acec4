package ringfence.windows.smb_weak_settings_test

import data.ringfence.windows.smb_weak_settings as check

_set(value) := {"state": "present", "value": value, "policy": false}

_absent := {"state": "absent", "value": "", "policy": false}

_doc(changes) := {"windowsSMB": object.union({"start": _set("2"), "SMB1": _absent, "RestrictNullSessAccess": _absent, "RequireSecuritySignature": _absent}, changes)}

test_first_version_fails if count(check.finding) == 1 with input as _doc({"SMB1": _set("1")})

test_signatures_are_low if {
	some f in check.finding with input as _doc({"RequireSecuritySignature": _set("0")})
	f.severity == "low"
}

test_defaults_pass if {
	count(check.finding) == 0 with input as _doc({})
	count(check.unknown) == 0 with input as _doc({})
}

test_disabled_is_not_applicable if check.not_applicable with input as _doc({"start": _set("4"), "SMB1": _set("1")})

test_unread_is_unknown if count(check.unknown) == 1 with input as _doc({"SMB1": {"state": "error", "value": "", "policy": false}})

test_defaults_of_an_older_system_are_unknown if {
	default_value := {"state": "default", "value": "", "policy": false}
	some u in check.unknown with input as _doc({"SMB1": default_value})
	contains(u.reason, "its driver (srv) is installed")
	count(check.unknown) == 2 with input as _doc({"SMB1": default_value, "RequireSecuritySignature": default_value})
}
