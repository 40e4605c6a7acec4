package ringfence.host.clock_not_kept_test

import data.ringfence.host.clock_not_kept as check

_doc(state, right, services) := {"clock": {"state": state, "right": right, "services": services}}

test_left_alone_fails if count(check.finding) == 1 with input as _doc("present", false, [])

test_right_passes if {
	count(check.finding) == 0 with input as _doc("present", true, [])
	count(check.unknown) == 0 with input as _doc("present", true, ["chronyd"])
}

test_not_yet_right_is_unknown if count(check.unknown) == 1 with input as _doc("present", false, ["chronyd"])

test_unread_is_unknown if count(check.unknown) == 1 with input as _doc("denied", false, [])
