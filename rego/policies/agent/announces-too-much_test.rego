package ringfence.agent.announces_too_much_test

import data.ringfence.agent.announces_too_much as check

_doc(state, config) := {"agentPrograms": [{
	"key": "openclaw", "title": "OpenClaw gateway", "runtime": "openclaw", "configState": state, "configWhy": "refused",
	"config": object.union({"path": "/c.json"}, config),
}]}

test_full_fails if count(check.finding) == 1 with input as _doc("present", {"mdns": "full"})

test_others_pass if {
	every config in [{}, {"mdns": "minimal"}, {"mdns": "off"}] {
		count(check.finding) == 0 with input as _doc("present", config)
	}
}

test_unread_is_unknown if count(check.unknown) == 1 with input as _doc("denied", {})
