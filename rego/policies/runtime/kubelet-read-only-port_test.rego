package ringfence.runtime.kubelet_read_only_port_test

import data.ringfence.runtime.kubelet_read_only_port as check

_doc(name, settings) := _at(name, settings, "unreachable")

_at(name, settings, verdict) := {"managed": [{
	"key": name, "name": name, "role": "cluster", "evidence": "x", "container": "", "host": true, "lesser": false,
	"settings": {k: {"state": "present", "value": v} | some k, v in settings},
	"services": [{"key": "tcp 0.0.0.0:2379 (etcd)", "loopback": false, "reach": {"external": {"verdict": verdict, "local": false, "origin": "eth0", "witness": "w", "because": [], "stoppedBy": []}}}],
}]}

test_open_fails if {f.severity | some f in check.finding} == {"low"} with input as _doc("kubelet", {"readOnlyPort": "10255"})

test_off_passes if count(check.finding) == 0 with input as _doc("kubelet", {"readOnlyPort": "0"})

test_unread_is_unknown if count(check.unknown) == 1 with input as _doc("kubelet", {})
