package ringfence.capability.privileged_container_test

import data.ringfence.capability.privileged_container as check

_base := {
	"key": "container web", "name": "container web", "why": "w", "container": "web", "agent": false, "process": "sh",
	"uid": 0, "hostUser": true, "hostNet": false, "hostPID": false, "hostIPC": false, "hostUTS": false,
	"hostMnt": false, "caps": ["chown"], "capText": "chown", "fullCaps": false, "netAdminOverHost": false, "latent": false, "gainsBy": "", "seccomp": 2,
	"noNewPrivs": true, "lsm": "", "devices": [],
}

_doc(change) := {"workloads": [object.union(_base, change)], "containers": []}

test_default_passes if count(check.finding) == 0 with input as _doc({})

test_all_capabilities_fail if count(check.finding) == 1 with input as _doc({"fullCaps": true, "seccomp": 0})

test_a_privileged_specification_fails if {
	doc := {"workloads": [], "containers": [{"id": "a1", "name": "db", "privileged": true, "spec": "/c", "capEff": []}]}
	count(check.finding) == 1 with input as doc
}

test_a_users_specification_is_no_proof if {
	doc := {"workloads": [], "containers": [{
		"id": "uid1001:a1", "name": "db", "privileged": true, "spec": "/c", "capEff": [], "word": {"by": "uid", "uid": 1001},
	}]}
	count(check.finding) == 0 with input as doc
}

test_by_a_program_that_runs_as_root_fails if {
	some f in check.finding with input as _doc({"fullCaps": true, "seccomp": 0, "uid": 1000, "gainsBy": "/usr/bin/sudo"})
	contains(f.message, "becomes root")
}

test_without_such_a_program_is_unknown if {
	count(check.unknown) == 1 with input as _doc({"latent": true, "seccomp": 0, "uid": 1000})
	count(check.finding) == 0 with input as _doc({"latent": true, "seccomp": 0, "uid": 1000})
}

test_without_a_specification_processes_tell if {
	doc := {"workloads": [], "containers": [{"id": "web", "unread": "none", "running": true, "spec": ""}]}
	count(check.unknown) == 0 with input as doc
}
