package ringfence.capability.host_takeover_capability_in_workload_test

import data.ringfence.capability.host_takeover_capability_in_workload as check

_base := {
	"key": "container web", "name": "container web", "why": "w", "container": "web", "agent": false, "process": "sh",
	"uid": 0, "hostUser": true, "hostNet": false, "hostPID": false, "hostIPC": false, "hostUTS": false,
	"hostMnt": false, "caps": ["chown"], "capText": "chown", "fullCaps": false, "netAdminOverHost": false, "latent": false, "latentCaps": [], "gainsBy": "", "seccomp": 2,
	"noNewPrivs": true, "lsm": "", "devices": [],
}

_doc(change) := {"workloads": [object.union(_base, change)], "containers": []}

test_default_passes if count(check.finding) == 0 with input as _doc({})

test_sys_admin_fails if count(check.finding) == 1 with input as _doc({"caps": ["sys_admin"]})

test_ptrace_needs_the_host_pids if {
	count(check.finding) == 0 with input as _doc({"caps": ["sys_ptrace"]})
	count(check.finding) == 1 with input as _doc({"caps": ["sys_ptrace"], "hostPID": true})
}

test_in_a_user_namespace_passes if {
	count(check.finding) == 0 with input as _doc({"caps": ["sys_admin"], "hostUser": false})
}

test_an_agent_that_is_not_root_fails if {
	count(check.finding) == 1 with input as _doc({"agent": true, "uid": 998, "caps": ["sys_admin"]})
	count(check.finding) == 1 with input as _doc({"agent": true, "uid": 998, "caps": ["setuid"]})
	count(check.finding) == 0 with input as _doc({"agent": true, "uid": 0, "caps": ["sys_admin"]})
}

test_what_a_program_of_root_would_give_is_unknown if {
	count(check.unknown) == 1 with input as _doc({"uid": 1000, "latentCaps": ["chown", "sys_admin"]})
	count(check.unknown) == 0 with input as _doc({"uid": 1000, "latentCaps": ["chown", "sys_ptrace"]})
	count(check.unknown) == 1 with input as _doc({"uid": 1000, "latentCaps": ["sys_ptrace"], "hostPID": true})
	count(check.unknown) == 0 with input as _doc({"uid": 1000, "latentCaps": ["sys_admin"], "hostUser": false})
}

test_gvisor_is_medium if {f.severity | some f in check.finding} == {"medium"} with input as _doc({"caps": ["sys_admin"], "kernel": "gVisor"})
