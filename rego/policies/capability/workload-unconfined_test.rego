package ringfence.capability.workload_unconfined_test

import data.ringfence.capability.workload_unconfined as check

_workload := {
	"key": "container web", "name": "container web", "why": "w", "container": "web", "agent": false, "process": "sh", "uid": 0, "hostUser": true, "hostNet": false, "hostPID": false, "hostIPC": false, "hostUTS": false, "hostMnt": false, "caps": ["chown"], "capText": "chown", "fullCaps": false, "netAdminOverHost": false, "seccomp": 2, "noNewPrivs": true, "lsm": "",
}

_doc(lsm, facts) := {"workloads": [object.union(_workload, {"lsm": lsm})], "kernel": {"facts": facts}}

_apparmor := {
	"lsm": {"state": "present", "value": "capability,apparmor"}, "apparmor": {"state": "present", "value": "docker-default (enforce)"},
	"selinux": {"state": "absent"},
}

_selinux := {"lsm": {"state": "error"}, "selinux": {"state": "present", "value": "1"}, "apparmor": {"state": "absent"}}

test_unconfined_fails if count(check.finding) == 1 with input as _doc("unconfined", _apparmor)

test_a_profile_passes if count(check.finding) == 0 with input as _doc("docker-default (enforce)", _apparmor)

test_spc_fails if count(check.finding) == 1 with input as _doc("system_u:system_r:spc_t:s0", _selinux)

test_no_module_is_not_applicable if {
	check.not_applicable with input as _doc("", {"lsm": {"state": "present", "value": "capability"}, "selinux": {"state": "absent"}, "apparmor": {"state": "absent"}})
}

test_not_known_is_unknown if count(check.unknown) == 1 with input as _doc("", {"lsm": {"state": "error"}, "selinux": {"state": "absent"}, "apparmor": {"state": "error"}})
