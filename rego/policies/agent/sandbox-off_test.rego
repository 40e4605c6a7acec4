package ringfence.agent.sandbox_off_test

import data.ringfence.agent.sandbox_off as check

_doc(auth) := {"agentPrograms": [{
	"key": "openclaw", "runtime": "openclaw", "title": "OpenClaw gateway", "kind": "gateway", "evidence": "e",
	"uid": 1000, "hostUser": true, "container": "", "auth": auth, "configState": "present",
	"config": {"path": "/c", "sandbox": "off", "execSecurity": "full", "weakAgents": [], "bind": "lan"},
	"configWhy": "why",
}]}

test_off_fails if count(check.finding) == 1 with input as _doc("token")

test_all_passes if {
	doc := json.patch(_doc("token"), [{"op": "replace", "path": "/agentPrograms/0/config/sandbox", "value": "all"}])
	count(check.finding) == 0 with input as doc
}

test_unread_is_unknown if {
	doc := json.patch(_doc("token"), [{"op": "replace", "path": "/agentPrograms/0/configState", "value": "denied"}])
	count(check.unknown) == 1 with input as doc
}
