package ringfence.kernel.display_socket_in_workload_test

import data.ringfence.kernel.display_socket_in_workload as check

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

_mount(source) := {"mounts": [{"source": source, "dest": "/x", "rw": false}]}

test_sockets_fail if {
	every source in ["/tmp/.X11-unix", "/tmp/.X11-unix/X0", "/run/user/1000/wayland-0", "/run/user/1000", "/run/user/1000/pulse"] {
		count(check.finding) == 1 with input as _doc(_mount(source), {})
	}
}

test_others_pass if count(check.finding) == 0 with input as _doc(_mount("/tmp"), {})

test_abstract_fails if {
	doc := object.union(_doc({}, {}), {"abstractSockets": [{"name": "@/tmp/.X11-unix/X0", "owner": "Xorg", "workloads": ["container web"], "runtime": "", "uid": 0}]})
	count(check.finding) == 1 with input as doc
}
