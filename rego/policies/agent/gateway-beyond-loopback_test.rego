package ringfence.agent.gateway_beyond_loopback_test

import data.ringfence.agent.gateway_beyond_loopback as check

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

test_beyond_loopback_fails if {
	some f in check.finding with input as _doc("token", [_svc(false, "reachable")])
	f.severity == "high"
}

test_loopback_passes if count(check.finding) == 0 with input as _doc("token", [_svc(true, "unreachable")])

test_without_agent_does_not_apply if check.not_applicable with input as {"agents": []}
