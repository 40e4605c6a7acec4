package ringfence.capability.capability_beyond_default_test

import data.ringfence.capability.capability_beyond_default as check

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

test_the_clock_fails if count(check.finding) == 1 with input as _doc({}, {"caps": ["sys_time"]})

test_the_defaults_pass if count(check.finding) == 0 with input as _doc({}, {"caps": ["chown", "net_raw", "setuid"]})

test_tracing_is_low if {
	some f in check.finding with input as _doc({}, {"caps": ["sys_ptrace"]})
	f.severity == "low"
}

test_what_is_worse_is_told_elsewhere if count(check.finding) == 0 with input as _doc({}, {"caps": ["sys_admin", "sys_time"]})

test_a_user_namespace_passes if count(check.finding) == 0 with input as _doc({}, {"caps": ["sys_time"], "hostUser": false})
