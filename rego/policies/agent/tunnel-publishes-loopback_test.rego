package ringfence.agent.tunnel_publishes_loopback_test

import data.ringfence.agent.tunnel_publishes_loopback as check

_doc(change) := {"publishers": {"unread": "", "list": [object.union(
	{
		"key": "k", "program": "cloudflared", "whose": "uid 1000", "container": "", "unit": "", "to": "everybody", "shell": false,
		"targets": ["127.0.0.1:3000"], "agents": [],
	},
	change,
)]}}

test_severities if {
	every c in [
		["medium", {}], ["high", {"agents": ["Ollama"]}], ["high", {"shell": true, "targets": []}], ["low", {"to": "members"}],
		["medium", {"to": "server", "agents": ["Ollama"]}],
	] {
		some f in check.finding with input as _doc(c[1])
		f.severity == c[0]
	}
}

test_unread_is_unknown if count(check.unknown) == 1 with input as {"publishers": {"unread": "x", "list": []}}
