package ringfence.runtime.abstract_socket_in_workload_namespace_test

import data.ringfence.runtime.abstract_socket_in_workload_namespace as check

_doc(runtime) := {"abstractSockets": [{
	"name": "@/containerd-shim/x.sock", "runtime": runtime, "owner": "containerd-shim", "uid": 0, "workloads": ["container a"],
}]}

test_a_runtime_socket_fails if count(check.finding) == 1 with input as _doc("containerd")

test_another_socket_passes if count(check.finding) == 0 with input as _doc("")
