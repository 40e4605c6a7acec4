package ringfence.agent.published_by_tailscale_test

import data.ringfence.agent.published_by_tailscale as check

_doc(state, config) := {"agentPrograms": [{
	"key": "openclaw", "title": "OpenClaw gateway", "runtime": "openclaw", "configState": state, "configWhy": "refused",
	"config": object.union({"path": "/c.json", "elevated": false, "elevatedAny": false}, config),
}]}

test_fails if count(check.finding) == 1 with input as _doc("present", {"tailscale": "funnel"})

test_passes if count(check.finding) == 0 with input as _doc("present", {"tailscale": ""})

test_not_read_is_unknown if count(check.unknown) == 1 with input as _doc("denied", {})
