package ringfence.kernel.kernel_settings_writable_in_workload_test

import data.ringfence.kernel.kernel_settings_writable_in_workload as check

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

_files(path) := {"kernelFiles": {"read": {"state": "present"}, "writable": [{"path": path, "fs": "proc"}]}}

test_settings_fail if {
	some f in check.finding with input as _doc(_files("/proc/sys"), {})
	f.severity == "high"
}

test_not_root_passes if count(check.finding) == 0 with input as _doc(_files("/proc/sys"), {"uid": 1, "caps": []})

test_a_profile_holds_it_back if count(check.finding) == 0 with input as _doc(_files("/proc/sys"), {"lsm": "docker-default (enforce)"})

test_a_profile_that_only_complains_does_not if count(check.finding) == 1 with input as _doc(_files("/proc/sys"), {"lsm": "docker-default (complain)"})

test_an_older_snapshot_is_unknown if {
	doc := _doc({}, {})
	count(check.unknown) == 1 with input as json.remove(doc, ["/containers/0/kernelFiles"])
}
