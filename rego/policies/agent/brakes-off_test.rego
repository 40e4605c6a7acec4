package ringfence.agent.brakes_off_test

import data.ringfence.agent.brakes_off as check

_doc(change) := {"agentBrakes": {"unread": "", "list": [object.union(
	{
		"key": "claude-code of user bob", "title": "Claude Code", "whose": "user bob", "root": false, "container": "", "running": true,
		"off": "approvals", "how": "--dangerously-skip-permissions", "file": "", "default": false, "unread": "",
	},
	change,
)]}}

test_severities if {
	every severity, change in {"medium": {}, "high": {"root": true}, "low": {"container": "dev"}} {
		some f in check.finding with input as _doc(change)
		f.severity == severity
	}
}

test_a_default_is_low_and_says_what_to_set if {
	every severity, change in {"low": {"default": true}, "medium": {"default": true, "root": true}} {
		some f in check.finding with input as _doc(change)
		f.severity == severity
		contains(f.remediation[0].text, `"bash": "ask"`)
	}
}

test_a_setting_fails if count(check.finding) == 1 with input as _doc({"running": false, "file": "/home/bob/.claude/settings.json"})

test_unread_is_unknown if {
	count(check.finding) == 0 with input as _doc({"unread": "refused"})
	count(check.unknown) == 1 with input as _doc({"unread": "refused"})
}

test_an_older_snapshot_is_unknown if count(check.unknown) == 1 with input as {"agentBrakes": {"unread": "older", "list": []}}
