package ringfence.capability.seccomp_allows_too_much_test

import data.ringfence.capability.seccomp_allows_too_much as check

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

_filter(list) := {"filter": {"default": "SCMP_ACT_ERRNO", "allows": list}}

test_modules_fail if count(check.finding) == 1 with input as _doc(_filter(["init_module"]), {})

test_a_capability_explains_it if count(check.finding) == 0 with input as _doc(object.union(_filter(["init_module"]), {"capEff": ["sys_module"]}), {})

test_common_ones_pass if count(check.finding) == 0 with input as _doc(_filter(["io_uring_setup", "perf_event_open"]), {})

test_an_older_snapshot_is_unknown if count(check.unknown) == 1 with input as _doc({}, {})
