package ringfence.agent.gateway_without_authentication_test

import data.ringfence.agent.gateway_without_authentication as check

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

test_none_is_critical_beyond_loopback if {
	some f in check.finding with input as _doc("none", [_svc(false, "unreachable")])
	f.severity == "critical"
}

test_token_passes if count(check.finding) == 0 with input as _doc("token", [])

test_unseen_is_unknown if count(check.unknown) == 1 with input as _doc("unknown", [])
