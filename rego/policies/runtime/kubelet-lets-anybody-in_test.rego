package ringfence.runtime.kubelet_lets_anybody_in_test

import data.ringfence.runtime.kubelet_lets_anybody_in as check

_doc(name, settings) := _at(name, settings, "unreachable")

_at(name, settings, verdict) := {"managed": [{
	"key": name, "name": name, "role": "cluster", "evidence": "x", "container": "", "host": true, "lesser": false,
	"settings": {k: {"state": "present", "value": v} | some k, v in settings},
	"services": [{"key": "tcp 0.0.0.0:2379 (etcd)", "loopback": false, "reach": {"external": {"verdict": verdict, "local": false, "origin": "eth0", "witness": "w", "because": [], "stoppedBy": []}}}],
}]}

_kubelet(anonymous, mode) := {"anonymous": anonymous, "authorization": mode}

test_open_and_reached_is_critical if {
	"critical" in {f.severity | some f in check.finding} with input as _at("kubelet", _kubelet("true", "AlwaysAllow"), "reachable")
}

test_everything_allowed_is_high if {f.severity | some f in check.finding} == {"high"} with input as _doc("kubelet", _kubelet("false", "AlwaysAllow"))

test_anonymous_is_medium if {f.severity | some f in check.finding} == {"medium"} with input as _doc("kubelet", _kubelet("true", "Webhook"))

test_closed_passes if count(check.finding) == 0 with input as _doc("kubelet", _kubelet("false", "Webhook"))

test_unread_is_unknown if count(check.unknown) == 2 with input as _doc("kubelet", {})

test_without_one_it_does_not_apply if check.not_applicable with input as {"managed": []}
