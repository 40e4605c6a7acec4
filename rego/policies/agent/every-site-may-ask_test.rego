package ringfence.agent.every_site_may_ask_test

import data.ringfence.agent.every_site_may_ask as check

_doc(change) := {"agentPrograms": [object.union(
	{
		"key": "ollama", "title": "Ollama", "evidence": "program ollama", "auth": "none", "origins": "any", "originsWhy": "",
	},
	change,
)]}

test_any_fails if {
	some f in check.finding with input as _doc({})
	f.severity == "medium"
}

test_with_a_key_it_is_low if {
	some f in check.finding with input as _doc({"auth": "token"})
	f.severity == "low"
}

test_named_sites_pass if count(check.finding) == 0 with input as _doc({"origins": ""})

test_unread_is_unknown if count(check.unknown) == 1 with input as _doc({"origins": "unknown", "originsWhy": "refused"})
