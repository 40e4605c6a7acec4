package ringfence.kernel.shared_memory_across_zones_test

import data.ringfence.kernel.shared_memory_across_zones as check

_doc(zones, world, workloads) := {"sharedMemory": [{
	"key": "sysv 1", "kind": "sysv", "mode": "0666", "world": world, "zones": zones, "holders": ["a", "b"],
	"workloads": workloads,
}]}

test_two_zones_fail if count(check.finding) == 1 with input as _doc(["host", "workload"], false, [])

test_open_to_a_workload_fails if count(check.finding) == 1 with input as _doc(["host"], true, ["container a"])

test_one_zone_passes if count(check.finding) == 0 with input as _doc(["host"], true, [])
