package ringfence.kernel.host_secrets_in_workload_test

import data.ringfence.kernel.host_secrets_in_workload as check

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

test_secrets_fail if {
	every source, severity in {"/": "high", "/etc": "high", "/etc/shadow": "high", "/home/me/.ssh": "medium", "/root/.aws": "medium", "/home/me/.config/gcloud": "medium"} {
		some f in check.finding with input as _doc(_mount(source), {})
		f.severity == severity
	}
}

test_others_pass if {
	every source in ["/etc/localtime", "/etc/ssl/certs", "/home/me/project", "/srv", "/home/me/project/.sshx"] {
		count(check.finding) == 0 with input as _doc(_mount(source), {})
	}
}

test_who_cannot_read_passes if count(check.finding) == 0 with input as _doc(_mount("/"), {"uid": 65534, "caps": []})

test_a_capability_reads if count(check.finding) == 1 with input as _doc(_mount("/"), {"uid": 65534, "caps": ["dac_read_search"]})
