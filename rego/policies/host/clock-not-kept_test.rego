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

test_the_clock_of_a_container_is_kept_outside if {
	doc := object.union(_doc("present", false, []), {"host": {"self": {"confined": ["/.dockerenv exists"]}}})
	count(check.finding) == 0 with input as doc
	count(check.unknown) == 1 with input as doc
}
