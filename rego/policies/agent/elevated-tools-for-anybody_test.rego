package ringfence.agent.elevated_tools_for_anybody_test

import data.ringfence.agent.elevated_tools_for_anybody as check

_doc(state, config) := {"agentPrograms": [{
	"key": "openclaw", "title": "OpenClaw gateway", "runtime": "openclaw", "configState": state, "configWhy": "refused",
	"config": object.union({"path": "/c.json", "elevated": false, "elevatedAny": false}, config),
}]}

test_fails if count(check.finding) == 1 with input as _doc("present", {"elevated": true, "elevatedAny": true})

test_passes if count(check.finding) == 0 with input as _doc("present", {"elevated": true, "elevatedAny": false})

test_not_read_is_unknown if count(check.unknown) == 1 with input as _doc("denied", {})
