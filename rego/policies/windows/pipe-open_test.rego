package ringfence.windows.pipe_open_test

import data.ringfence.windows.pipe_open as check

_doc(who, read) := {"windowsPipes": [{"key": "docker_engine", "role": "runtime", "what": "pipe", "who": who, "read": read}]}

test_everyone_fails if {
	some f in check.finding with input as _doc(["S-1-1-0"], "present")
	f.severity == "high"
}

test_a_group_is_medium if {
	some f in check.finding with input as _doc(["S-1-5-21-1-2-3-1001"], "present")
	f.severity == "medium"
}

test_nobody_passes if {
	count(check.finding) == 0 with input as _doc([], "present")
	count(check.unknown) == 0 with input as _doc([], "present")
}

test_unread_is_unknown if count(check.unknown) == 1 with input as _doc([], "error")
