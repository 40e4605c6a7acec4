package ringfence.host.audit_off_test

import data.ringfence.host.audit_off as check

_doc(state, value) := {"kernel": {"facts": {"audit": {"state": state, "value": value}}}}

test_off_fails if {
	count(check.finding) == 1 with input as _doc("present", "0")
	count(check.finding) == 1 with input as _doc("absent", "")
}

test_on_passes if {
	count(check.finding) == 0 with input as _doc("present", "1")
	count(check.finding) == 0 with input as _doc("present", "2")
}

test_unasked_is_unknown if count(check.unknown) == 1 with input as _doc("denied", "")
