package ringfence.capability.net_admin_over_host_network_test

import data.ringfence.capability.net_admin_over_host_network as check

_base := {
	"key": "container web", "name": "container web", "why": "w", "container": "web", "agent": false, "process": "sh",
	"uid": 0, "hostUser": true, "hostNet": false, "hostPID": false, "hostIPC": false, "hostUTS": false,
	"hostMnt": false, "caps": ["chown"], "capText": "chown", "fullCaps": false, "netAdminOverHost": false, "seccomp": 2,
	"noNewPrivs": true, "lsm": "", "devices": [],
}

_doc(change) := {"workloads": [object.union(_base, change)], "containers": []}

test_default_passes if count(check.finding) == 0 with input as _doc({})

test_net_admin_over_the_host_fails if count(check.finding) == 1 with input as _doc({"netAdminOverHost": true})

test_gvisor_is_medium if {f.severity | some f in check.finding} == {"medium"} with input as _doc({"netAdminOverHost": true, "kernel": "gVisor"})
