package ringfence.runtime.api_server_allows_everything_test

import data.ringfence.runtime.api_server_allows_everything as check

_doc(name, settings) := _at(name, settings, "unreachable")

_at(name, settings, verdict) := {"managed": [{
	"key": name, "name": name, "role": "cluster", "evidence": "x", "container": "", "host": true, "lesser": false,
	"settings": {k: {"state": "present", "value": v} | some k, v in settings},
	"services": [{"key": "tcp 0.0.0.0:2379 (etcd)", "loopback": false, "reach": {"external": {"verdict": verdict, "local": false, "origin": "eth0", "witness": "w", "because": [], "stoppedBy": []}}}],
}]}

test_everything_fails if count(check.finding) == 1 with input as _doc("kube-apiserver", {"authorization": "AlwaysAllow"})

test_rbac_passes if {
	count(check.finding) == 0 with input as _doc("kube-apiserver", {"authorization": "Node,RBAC"})
	count(check.unknown) == 0 with input as _doc("kube-apiserver", {"authorization": "Node,RBAC"})
}

test_in_a_file_is_unknown if count(check.unknown) == 1 with input as _doc("kube-apiserver", {"authorization": "file"})
