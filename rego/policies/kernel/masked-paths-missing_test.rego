package ringfence.kernel.masked_paths_missing_test

import data.ringfence.kernel.masked_paths_missing as check

_workload := {
	"key": "container web", "name": "container web", "why": "w", "container": "web", "agent": false, "process": "sh", "uid": 0, "hostUser": true, "hostNet": false, "hostPID": false, "hostIPC": false, "hostUTS": false, "hostMnt": false, "caps": ["chown"], "capText": "chown", "fullCaps": false, "netAdminOverHost": false, "seccomp": 2, "noNewPrivs": true, "lsm": "",
}

_container := {
	"id": "abc", "name": "web", "spec": "/c.json", "runtime": "docker", "running": true, "pid": 7, "uid": 0, "userNS": false, "privileged": false,
	"word": {"by": "root"}, "seccomp": true, "kernelFiles": {"read": {"state": "present"}},
}

_doc(container, workload) := {
	"containers": [object.union(_container, container)],
	"workloads": [object.union(_workload, workload)],
	"abstractSockets": [],
}

_files(list) := {"kernelFiles": {"read": {"state": "present"}, "unmasked": list}}

test_seen_fail if count(check.finding) == 1 with input as _doc(_files(["/proc/kcore", "/proc/keys"]), {})

test_none_passes if count(check.finding) == 0 with input as _doc(_files([]), {})

test_a_container_without_specification_is_no_finding if {
	count(check.finding) == 0 with input as _doc(object.union(_files(["/proc/kcore", "/proc/keys"]), {"unread": "none"}), {})
}
