package ringfence.agent.unauthenticated_runtime_reachable_test

import data.ringfence.agent.unauthenticated_runtime_reachable as check

_svc(loopback, verdict) := {
	"key": "tcp x:18789 (node)", "proto": "tcp", "addr": "x", "port": 18789, "loopback": loopback, "class": "agent",
	"reach": {
		"workload": {
			"verdict": verdict, "origin": "docker0", "local": false, "witness": "w", "because": ["b"], "stoppedBy": [],
		},
		"external": {
			"verdict": verdict, "origin": "eth0", "local": false, "witness": "w", "because": ["b"], "stoppedBy": [],
		},
	},
}

_doc(auth, services) := {"agents": [{
	"key": "openclaw", "runtime": "openclaw", "title": "OpenClaw gateway", "kind": "gateway", "evidence": "e",
	"uid": 1000, "hostUser": true, "container": "", "auth": auth, "configState": "present",
	"config": {"path": "/c", "sandbox": "off", "execSecurity": "full", "weakAgents": [], "bind": "lan"},
	"services": services,
}]}

test_reachable_fails if count(check.finding) == 2 with input as _doc("none", [_svc(false, "reachable")])

test_with_token_passes if count(check.finding) == 0 with input as _doc("token", [_svc(false, "reachable")])

test_unknown_is_no_pass if count(check.unknown) == 2 with input as _doc("none", [_svc(false, "unknown")])

test_socket_that_nobody_has_open_is_no_pass if count(check.unknown) == 1 with input as _unseen("none")

test_socket_that_nobody_has_open_with_token_passes if count(check.unknown) == 0 with input as _unseen("token")

_unseen(auth) := {"agents": [object.union(a, {"unseen": ["tcp 0.0.0.0:7 (unknown)"]})]} if some a in _doc(auth, []).agents

test_key_for_a_part_is_medium if {
	some f in check.finding with input as _doc("some", [_svc(false, "reachable")])
	f.severity == "medium"
}

test_unknown_authentication_is_no_pass if count(check.unknown) == 1 with input as _doc("unknown", [_svc(false, "reachable")])
