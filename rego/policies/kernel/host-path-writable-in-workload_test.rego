package ringfence.kernel.host_path_writable_in_workload_test

import data.ringfence.kernel.host_path_writable_in_workload as check

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

_mount(source, rw) := {"mounts": [{"source": source, "dest": "/x", "rw": rw}]}

test_system_files_fail[source] if {
	some source in ["/", "/etc", "/etc/cron.d", "/root/.ssh", "/usr/local/bin", "/var/lib/kubelet"]
	some f in check.finding with input as _doc(_mount(source, true), {})
	f.severity == "critical"
}

test_files_of_the_container_pass if {
	every source in ["/etc/hostname", "/var/lib/docker/containers/abc/hosts", "/srv/data", "/etc/myapp", "/home/me/project", "/etcetera"] {
		count(check.finding) == 0 with input as _doc(_mount(source, true), {})
	}
}

test_readonly_passes if count(check.finding) == 0 with input as _doc(_mount("/etc", false), {})

test_a_user_without_power_is_low if {
	some f in check.finding with input as _doc(_mount("/etc", true), {"uid": 1000, "caps": []})
	f.severity == "low"
}

test_another_user_namespace_is_low if {
	some f in check.finding with input as _doc(_mount("/etc", true), {"hostUser": false})
	f.severity == "low"
}

test_one_finding_for_the_widest if {
	mounts := {"mounts": [{"source": "/", "dest": "/h", "rw": true}, {"source": "/etc", "dest": "/e", "rw": true}]}
	count(check.finding) == 1 with input as _doc(mounts, {})
}

test_not_seen_is_unknown if count(check.unknown) == 1 with input as _doc({"kernelFiles": {"read": {"state": "denied", "reason": "no"}}}, {})
