package ringfence.runtime.api_server_defences_off_test

import data.ringfence.runtime.api_server_defences_off as check

_doc(name, settings) := _at(name, settings, "unreachable")

_at(name, settings, verdict) := {"managed": [{
	"key": name, "name": name, "role": "cluster", "evidence": "x", "container": "", "host": true, "lesser": false,
	"settings": {k: {"state": "present", "value": v} | some k, v in settings},
	"services": [{"key": "tcp 0.0.0.0:2379 (etcd)", "loopback": false, "reach": {"external": {"verdict": verdict, "local": false, "origin": "eth0", "witness": "w", "because": [], "stoppedBy": []}}}],
}]}

_good := {"authorization": "Node,RBAC", "tokens": "", "admission": "NodeRestriction", "audit": "/var/log/audit.log", "encryption": "/etc/kubernetes/enc.yaml"}

test_good_passes if {
	count(check.finding) == 0 with input as _doc("kube-apiserver", _good)
	count(check.unknown) == 0 with input as _doc("kube-apiserver", _good)
}

test_tokens_fail if {f.severity | some f in check.finding} == {"medium"} with input as _doc("kube-apiserver", object.union(_good, {"tokens": "/etc/tokens.csv"}))

test_node_restriction_fails if count(check.finding) == 1 with input as _doc("kube-apiserver", object.union(_good, {"admission": ""}))

test_lore_is_one_low_finding if {f.severity | some f in check.finding} == {"low"} with input as _doc("kube-apiserver", object.union(_good, {"audit": "", "encryption": ""}))

test_unread_is_unknown if count(check.unknown) == 4 with input as _doc("kube-apiserver", {})
