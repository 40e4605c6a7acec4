package ringfence.runtime.system_bus_in_workload_test

import data.ringfence.runtime.system_bus_in_workload as check

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
	every source in ["/run/dbus", "/run/dbus/system_bus_socket", "/run/systemd/private", "/run/snapd.socket"] {
		some f in check.finding with input as _doc(_mount(source), {})
		f.severity == "high"
	}
}

test_what_everybody_may_is_low if {
	some f in check.finding with input as _doc(_mount("/run/dbus"), {"uid": 7, "caps": []})
	f.severity == "low"
}

test_others_pass if count(check.finding) == 0 with input as _doc(_mount("/run/systemd/journal"), {})

# connect(2) asks the socket for permission, and not the mount that it is seen by.
test_a_read_only_mount_of_all_leads_there[source] if {
	some source in ["/", "/run", "/var/run"]
	count(check.finding) == 2 with input as _doc(_mount(source), {})
	count(check.finding) == 0 with input as _doc({"mounts": [{"source": source, "dest": "/x", "rw": true}]}, {})
}
