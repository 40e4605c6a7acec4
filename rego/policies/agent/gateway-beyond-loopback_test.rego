package ringfence.agent.gateway_beyond_loopback_test

import data.ringfence.agent.gateway_beyond_loopback as check

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

test_beyond_loopback_fails if {
	some f in check.finding with input as _doc("token", [_listens(false, "reachable")])
	f.severity == "high"
}

test_loopback_passes if count(check.finding) == 0 with input as _doc("token", [_listens(true, "unreachable")])

test_without_agent_does_not_apply if check.not_applicable with input as {"agentPrograms": [], "agentListeners": []}

test_in_a_container_the_way_there_counts if {
	inside := object.union(_listens(false, "unreachable"), {"inside": true, "inContainer": true})
	count(check.finding) == 0 with input as _doc("token", [inside])
	count(check.finding) == 1 with input as _doc("token", [object.union(inside, {"open": {"external": "reachable", "management": "unreachable", "workload": "unreachable"}})])
	count(check.unknown) == 1 with input as _doc("token", [object.union(inside, {"open": {"external": "unknown", "management": "unreachable", "workload": "unreachable"}})])
}

test_without_the_packet_filter_the_address_counts if {
	some f in check.finding with input as _doc("token", [_listens(false, "unknown")])
	f.severity == "medium"
}

test_relay_that_does_not_tell_is_unknown if {
	count(check.unknown) == 1 with input as _doc("token", [object.union(_listens(false, "unknown"), {"unclear": "a relay"})])
	count(check.finding) == 0 with input as _doc("token", [object.union(_listens(false, "unknown"), {"unclear": "a relay"})])
}

test_a_tunnel_is_beyond_loopback if {
	doc := json.patch(_doc("token", []), [{"op": "add", "path": "/agentPrograms/0/config/tailscale", "value": "funnel"}])
	{f.severity | some f in check.finding} == {"high"} with input as doc
}
