package ringfence.kernel.io_uring_in_workloads_test

import data.ringfence.kernel.io_uring_in_workloads as check

_doc(state, value, allows) := {
	"containers": [{"id": "a", "name": "a", "spec": "/c.json", "running": true, "seccomp": true, "filter": {"default": "x", "allows": allows}, "word": {"by": "root"}}],
	"sysctls": {"kernel.io_uring_disabled": {"state": state, "value": value}},
}

test_open_fails if count(check.finding) == 1 with input as _doc("present", "0", ["io_uring_setup"])

test_off_passes if count(check.finding) == 0 with input as _doc("present", "2", ["io_uring_setup"])

test_a_filter_passes if count(check.finding) + count(check.unknown) == 0 with input as _doc("present", "0", [])

test_an_older_kernel_is_unknown if count(check.unknown) == 1 with input as _doc("absent", "", ["io_uring_setup"])
