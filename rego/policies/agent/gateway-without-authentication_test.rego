package ringfence.agent.gateway_without_authentication_test

import data.ringfence.agent.gateway_without_authentication as check

_listens(loopback, verdict) := {
	"agent": "openclaw", "title": "OpenClaw gateway", "kind": "gateway", "evidence": "e", "key": "tcp x:18789 (node)", "port": 18789,
	"loopback": loopback, "inside": false, "inContainer": false, "unclear": "", "guessed": false,
	"open": {"external": verdict, "management": verdict, "workload": verdict}, "because": ["b"], "evidences": ["w"],
}

_doc(auth, services) := {
	"agentPrograms": [{
		"key": "openclaw", "runtime": "openclaw", "title": "OpenClaw gateway", "kind": "gateway", "evidence": "e",
		"uid": 1000, "hostUser": true, "container": "", "auth": auth, "configState": "present",
		"config": {"path": "/c", "sandbox": "off", "execSecurity": "full", "weakAgents": [], "bind": "lan"},
		"configWhy": "", "authWhy": "",
	}],
	"agentListeners": services,
}

test_none_is_critical_beyond_loopback if {
	some f in check.finding with input as _doc("none", [_listens(false, "unreachable")])
	f.severity == "critical"
}

test_local_reach_is_medium if {
	[f.severity | some f in check.finding] == ["medium"] with input as _doc("none", [_listens(true, "unreachable")])
}

test_unseen_sockets_are_no_local_reach if {
	[f.severity | some f in check.finding] == ["high"] with input as _doc("none", [])
	unclear := object.union(_listens(true, "unreachable"), {"unclear": "not seen"})
	[f.severity | some f in check.finding] == ["high"] with input as _doc("none", [unclear])
}

test_token_passes if count(check.finding) == 0 with input as _doc("token", [])

test_unseen_is_unknown if count(check.unknown) == 1 with input as _doc("unknown", [])
