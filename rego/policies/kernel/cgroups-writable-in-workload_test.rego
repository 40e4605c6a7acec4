package ringfence.kernel.cgroups_writable_in_workload_test

import data.ringfence.kernel.cgroups_writable_in_workload as check

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

_files(fs, beyond) := {"kernelFiles": {"read": {"state": "present"}, "writable": [{"path": "/sys/fs/cgroup", "fs": fs, "beyond": beyond}]}}

test_version_1_is_high if {
	some f in check.finding with input as _doc(_files("cgroup", true), {})
	f.severity == "high"
}

test_version_2_is_medium if {
	some f in check.finding with input as _doc(_files("cgroup2", true), {})
	f.severity == "medium"
}

test_its_own_passes if count(check.finding) == 0 with input as _doc(_files("cgroup2", false), {})
