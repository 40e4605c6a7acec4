package ringfence.agent.files_open_to_others_test

import data.ringfence.agent.files_open_to_others as check

_doc(change) := {"agentFiles": {"unread": "", "list": [object.union(
	{
		"runtime": "codex", "user": "bob", "path": "/home/bob/.codex/auth.json", "mode": 420, "secret": true, "write": false, "to": "everybody",
	},
	change,
)]}}

test_everybody_is_high if {
	some f in check.finding with input as _doc({})
	f.severity == "high"
}

test_a_group_is_medium if {
	some f in check.finding with input as _doc({"to": "group staff"})
	f.severity == "medium"
}

test_who_writes_is_high if {
	some f in check.finding with input as _doc({"to": "group staff", "write": true})
	f.severity == "high"
}

test_unread_is_unknown if count(check.unknown) == 1 with input as {"agentFiles": {"unread": "x", "list": []}}
