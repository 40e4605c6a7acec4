package ringfence.windows.winrm_weak_settings_test

import data.ringfence.windows.winrm_weak_settings as check

_absent := {"state": "absent", "value": "", "policy": false}

_doc(changes) := {
	"windowsTokens": _absent,
	"windowsWinRM": {
		"listeners": [{"enabled": true}], "open": [],
		"settings": object.union({"auth_basic": _absent, "allow_unencrypted": _absent, "auth_credssp": _absent}, changes),
	},
}

_set(value) := {"state": "present", "value": value, "policy": false}

test_basic_fails if count(check.finding) == 1 with input as _doc({"auth_basic": _set("1")})

test_defaults_pass if {
	count(check.finding) == 0 with input as _doc({})
	count(check.unknown) == 0 with input as _doc({})
}

test_zero_passes if count(check.finding) == 0 with input as _doc({"allow_unencrypted": _set("0")})

test_unread_is_unknown if count(check.unknown) == 1 with input as _doc({"auth_basic": {"state": "error", "value": "", "policy": false}})

test_tokens_fail if count(check.finding) == 1 with input as object.union(_doc({}), {"windowsTokens": _set("1")})

test_without_a_listener if check.not_applicable with input as {"windowsWinRM": {"listeners": [], "open": [], "settings": {}}, "windowsTokens": _absent}

test_everyone_fails if {
	count(check.finding) == 1 with input as object.union(_doc({}), {"windowsWinRM": object.union(_doc({}).windowsWinRM, {"open": ["S-1-1-0"]})})
}
