# METADATA
# title: An agent's commands run outside the sandbox that it is told to use
# description: >-
#   Sandboxes of coding agents fail open: without bubblewrap or user namespaces, by a project's
#   settings or an exception that was allowed once, commands run with the files and the network
#   of the user while the settings still say that there is a sandbox. What a process is confined
#   by shows in the process: its network, its files, no_new_privs, and its capabilities.
# custom:
#   severity: high
#   reads: [agents, runtimes]
#   remediation: >-
#     Install what the sandbox needs (bubblewrap, socat, user namespaces) and have the agent refuse
#     to run without it; take exceptions and project settings away.
#   references:
#     nist: ["SC-39", "AC-6", "CM-6"]
#     attack: ["T1059", "T1562"]
#     cwe: ["CWE-653", "CWE-636"]
package ringfence.agent.sandbox_not_in_force

finding contains {
	"resource": {"kind": "agent", "key": a.key},
	"message": sprintf("%s is told to use a sandbox, and what it runs now is not in one: %s %s", [a.title, c.program, _what(c)]),
	"severity": _severity(c),
	"evidence": array.concat(
		[sprintf("configured on: %s", [a.from]), sprintf("measured of %s: %s", [c.program, c.facts])],
		[sprintf("weakened by: %s", [concat(", ", a.weak)]) | count(a.weak) > 0],
	),
	"remediation": [{"kind": "words", "text": _advice(a)}],
} if {
	some a in input.agentSandboxes.list
	a.state == "on"
	some c in a.commands
	c.unclear == ""
	count(c.lacks) > 0
}

_severity(c) := "high" if {
	some fact in ["files", "capabilities"]
	fact in c.lacks
} else := "medium"

_words := {
	"network": "has the network of the agent",
	"files": "can write the files of its user",
	"privileges": "can gain privileges by set-uid programs",
	"capabilities": "has capabilities over the host",
}

_what(c) := concat(", ", [_words[l] | some l in c.lacks])

_advice(a) := sprintf("make available what the sandbox lacks: %s", [concat(", ", a.missing)]) if {
	count(a.missing) > 0
} else := "end the command, and find out by the log of the agent why it ran without the sandbox (an exception, a setting of the project)"

finding contains {
	"resource": {"kind": "agent", "key": a.key},
	"message": sprintf("%s is told to use a sandbox that cannot start here", [a.title]),
	"severity": "medium",
	"evidence": [sprintf("configured on: %s", [a.from]), sprintf("not there: %s", [concat(", ", a.missing)])],
	"remediation": [{"kind": "words", "text": sprintf("make available what the sandbox lacks: %s", [concat(", ", a.missing)])}],
} if {
	some a in input.agentSandboxes.list
	a.state == "on"
	count(a.missing) > 0
}

finding contains {
	"resource": {"kind": "agent", "key": sprintf("%s: %s", [a.key, a.from]), "path": a.from},
	"message": sprintf("a project's settings switch off the sandbox of %s that its user has on", [a.title]),
	"severity": "high",
	"evidence": [sprintf("%s has it on, %s has it off", [a.overridden, a.from])],
	"remediation": [{"kind": "config", "text": sprintf("take sandbox.enabled out of %s, or set it in /etc/claude-code/managed-settings.json", [a.from])}],
} if {
	some a in input.agentSandboxes.list
	a.state == "off"
	a.overridden != ""
}

unknown contains {"resource": {"kind": "agent", "key": a.key}, "reason": reason} if {
	some a in input.agentSandboxes.list
	some reason in _open(a)
}

_open(a) := {sprintf("whether it is told to use a sandbox is not known: %s", [a.why])} if a.state == "unknown"

_open(a) := {sprintf("it is told to use a sandbox (%s), and no command of it runs now that could be measured", [a.from])} if {
	a.state == "on"
	count(a.commands) == 0
	a.unseen == ""
} else := {sprintf("what confines %s is not known: %s", [c.program, c.unclear]) | some c in a.commands; c.unclear != ""} | {a.unseen | a.unseen != ""} if {
	a.state == "on"
}

unknown contains {"resource": {"kind": "agent", "key": "commands of agents"}, "reason": "the snapshot is older than the measuring of sandboxes"} if {
	not input.agentSandboxes.measured
}

not_applicable := "no agent that is told to use a sandbox runs" if {
	input.agentSandboxes.measured
	count([a | some a in input.agentSandboxes.list; a.state in {"on", "unknown"}]) == 0
	count([a | some a in input.agentSandboxes.list; a.overridden != ""]) == 0
}
