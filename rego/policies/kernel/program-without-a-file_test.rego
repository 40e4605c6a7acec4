package ringfence.kernel.program_without_a_file_test

import data.ringfence.kernel.program_without_a_file as check

_doc(change) := {"programs": [object.union({"key": "k", "program": "/p", "uid": 0, "hostUser": true, "hostMnt": true, "seccomp": 0, "zone": "host", "workload": "", "agent": false, "unit": "", "lacks": "", "monitor": "", "ambient": []}, change)]}

test_root_is_high if {
	some f in check.finding with input as _doc({"lacks": "memory"})
	f.severity == "high"
}

test_a_workload_is_medium if {
	some f in check.finding with input as _doc({"lacks": "removed", "uid": 1000, "workload": "container web"})
	f.severity == "medium"
}

test_a_user_of_the_host_passes if count(check.finding) == 0 with input as _doc({"lacks": "removed", "uid": 1000})

test_a_file_passes if count(check.finding) == 0 with input as _doc({"monitor": "x"})

# A container's own process can take the name for good.
test_what_a_container_may_have_become_is_unknown if {
	doc := _doc({"lacks": "passing", "workload": "container web"})
	count(check.finding) == 0 with input as doc
	count(check.unknown) == 1 with input as doc
}
