package ringfence.windows.rdp_shadow_without_consent_test

import data.ringfence.windows.rdp_shadow_without_consent as check

_set(value) := {"state": "present", "value": value, "policy": false}

_doc(deny, shadow) := {"windowsRDP": {"fDenyTSConnections": deny, "Shadow": shadow}}

test_without_consent_fails if {
	count(check.finding) == 1 with input as _doc(_set("0"), _set("2"))
	count(check.finding) == 1 with input as _doc(_set("0"), _set("4"))
}

test_with_consent_passes if {
	every value in ["0", "1", "3"] {
		count(check.finding) == 0 with input as _doc(_set("0"), _set(value))
		count(check.unknown) == 0 with input as _doc(_set("0"), _set(value))
	}
	count(check.finding) == 0 with input as _doc(_set("0"), {"state": "absent", "value": "", "policy": false})
}

test_off_is_not_applicable if check.not_applicable with input as _doc(_set("1"), _set("2"))

test_unread_is_unknown if count(check.unknown) == 1 with input as _doc(_set("0"), {"state": "error", "value": "", "policy": false})
