package ringfence.runtime.kubelet_lets_anybody_in_test

import data.ringfence.runtime.kubelet_lets_anybody_in as check

_doc(name, settings) := _at(name, settings, "unreachable")

_at(name, settings, verdict) := {"managed": [{
	"key": name, "name": name, "role": "cluster", "evidence": "x", "container": "", "host": true, "lesser": false,
	"settings": {k: {"state": "present", "value": v} | some k, v in settings},
	"services": [{"key": "tcp 0.0.0.0:10250 (kubelet)", "proto": "tcp", "port": 10250, "addr": "0.0.0.0", "by": {}, "loopback": false, "reach": {"external": {"verdict": verdict, "local": false, "origin": "eth0", "witness": "w", "because": [], "stoppedBy": []}}}],
}]}

_kubelet(anonymous, mode) := {"anonymous": anonymous, "authorization": mode}

test_open_and_reached_is_one_critical if {
	[f.severity | some f in check.finding] == ["critical"] with input as _at("kubelet", _kubelet("true", "AlwaysAllow"), "reachable")
}

test_local_reach_is_medium if {
	[f.severity | some f in check.finding] == ["medium"] with input as _doc("kubelet", _kubelet("true", "AlwaysAllow"))
}

test_everything_allowed_follows_who_gets_there if {
	[f.severity | some f in check.finding] == ["high"] with input as _at("kubelet", _kubelet("false", "AlwaysAllow"), "reachable")
	[f.severity | some f in check.finding] == ["medium"] with input as _doc("kubelet", _kubelet("false", "AlwaysAllow"))
}

test_anonymous_follows_who_gets_there if {
	[f.severity | some f in check.finding] == ["medium"] with input as _at("kubelet", _kubelet("true", "Webhook"), "reachable")
	[f.severity | some f in check.finding] == ["low"] with input as _doc("kubelet", _kubelet("true", "Webhook"))
}

# That its read-only port is reached does not say that its interface is.
test_another_port_is_not_its_interface if {
	doc := _at("kubelet", object.union(_kubelet("true", "AlwaysAllow"), {"port": "10251"}), "reachable")
	[f.severity | some f in check.finding] == ["medium"] with input as doc
}

test_unknown_reach_is_unknown if count(check.unknown) == 1 with input as _at("kubelet", _kubelet("true", "AlwaysAllow"), "unknown")

test_closed_passes if count(check.finding) == 0 with input as _doc("kubelet", _kubelet("false", "Webhook"))

test_unread_is_unknown if count(check.unknown) == 2 with input as _doc("kubelet", {})

test_without_one_it_does_not_apply if check.not_applicable with input as {"managed": []}
