package ringfence.kernel.sensitive_device_in_workload_test

import data.ringfence.kernel.sensitive_device_in_workload as check

_c(devices, all) := {"workloads": [], "openDevices": [], "containers": [{
	"id": "abc", "name": "gpu", "spec": "/c.json", "devices": devices, "allDevices": all, "userNS": false,
}]}

test_kvm_fails if count(check.finding) == 1 with input as _c(["/dev/kvm"], false)

test_memory_is_critical if {
	some f in check.finding with input as _c(["/dev/mem"], false)
	f.severity == "critical"
}

test_all_devices_fail if count(check.finding) == 1 with input as _c([], true)

test_none_passes if count(check.finding) == 0 with input as _c([], false)

_own(devices, running) := {"workloads": [], "openDevices": [], "containers": [object.union(_c(devices, true).containers[0], {
	"running": running, "word": {"by": "uid", "uid": 1001},
})]}

test_a_users_specification_without_a_process_is_nothing if count(check.finding) == 0 with input as _own(["/dev/sda"], false)

test_a_users_specification_gives_no_disk if {
	some f in check.finding with input as _own(["/dev/sda"], true)
	f.severity == "medium"
}
