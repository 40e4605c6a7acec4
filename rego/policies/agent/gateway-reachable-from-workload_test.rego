package ringfence.agent.gateway_reachable_from_workload_test

import data.ringfence.agent.gateway_reachable_from_workload as check

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

test_reachable_fails if count(check.finding) == 1 with input as _doc("token", [_svc(false, "reachable")])

test_unreachable_passes if count(check.finding) == 0 with input as _doc("token", [_svc(false, "unreachable")])

test_unknown_is_no_pass if count(check.unknown) == 1 with input as _doc("token", [_svc(false, "unknown")])
