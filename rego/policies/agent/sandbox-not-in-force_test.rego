package ringfence.agent.sandbox_not_in_force_test

import data.ringfence.agent.sandbox_not_in_force as check

_in := {"program": "sleep", "lacks": [], "facts": "all", "unclear": ""}

_out := {"program": "sleep", "lacks": ["network", "files"], "facts": "none", "unclear": ""}

_agent(changes) := object.union(
	{
		"key": "claude-code of uid 1000", "title": "Claude Code", "state": "on", "why": "", "from": "/home/a/.claude/settings.json",
		"overridden": "", "weak": [], "missing": [], "commands": [_in], "unseen": "",
	},
	changes,
)

_doc(list) := {"agentSandboxes": {"measured": true, "list": list}}

test_confined_passes if {
	doc := _doc([_agent({})])
	count(check.finding) == 0 with input as doc
	count(check.unknown) == 0 with input as doc
	not check.not_applicable with input as doc
}

test_one_command_outside_is_high if {
	found := check.finding with input as _doc([_agent({"commands": [_in, _out]})])
	[f.severity | some f in found] == ["high"]
}

test_network_alone_is_medium if {
	found := check.finding with input as _doc([_agent({"commands": [object.union(_out, {"lacks": ["network"]})]})])
	[f.severity | some f in found] == ["medium"]
}

test_nothing_runs_is_unknown if {
	doc := _doc([_agent({"commands": []})])
	count(check.finding) == 0 with input as doc
	count(check.unknown) == 1 with input as doc
}

test_unclear_is_no_finding if {
	doc := _doc([_agent({"commands": [object.union(_out, {"unclear": "Landlock"})]})])
	count(check.finding) == 0 with input as doc
	count(check.unknown) == 1 with input as doc
}

test_project_switches_it_off if {
	found := check.finding with input as _doc([_agent({"state": "off", "from": "/w/.claude/settings.json", "overridden": "/home/a/.claude/settings.json"})])
	count(found) == 1
}

test_off_is_of_another_check if check.not_applicable with input as _doc([_agent({"state": "off", "commands": [_out]})])

test_older_snapshot if count(check.unknown) == 1 with input as {"agentSandboxes": {"measured": false, "list": []}}
