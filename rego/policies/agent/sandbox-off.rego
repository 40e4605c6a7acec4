# METADATA
# title: An agent runs its tools outside a sandbox
# description: >-
#   OpenClaw runs what a model writes as its own user on the host unless its sandbox is on for
#   every session; the default is off. An injected instruction then has the files, keys and
#   network of that user.
# custom:
#   severity: high
#   reads: [agents, processes.power]
#   remediation: >-
#     Set sandbox.mode to all for all agents, and tools.exec.host to auto.
#   references:
#     nist: ["SC-39", "AC-6"]
#     attack: ["T1059"]
#     cwe: ["CWE-653"]
package ringfence.agent.sandbox_off

import data.ringfence.lib

finding contains {
	"resource": {"kind": "agent", "key": a.key, "path": a.config.path},
	"message": sprintf("%s runs what a model writes on the host itself (sandbox %s)", [a.title, a.config.sandbox]),
	"severity": _severity(a.config),
	"evidence": [sprintf("%s: sandbox %s, exec security %s, agents without sandbox: %s", [
		a.config.path, a.config.sandbox, a.config.execSecurity, concat(", ", lib.list(a.config, "weakAgents")),
	])],
	"remediation": [{"kind": "config", "text": "agents: {defaults: {sandbox: {mode: \"all\"}}}, tools: {exec: {host: \"auto\"}}, and nothing else for single agents"}],
} if {
	some a in input.agentPrograms
	a.runtime == "openclaw"
	a.configState in {"present", "absent"}
	_weak(a.config)
}

_weak(c) if c.sandbox != "all"

_weak(c) if count(lib.list(c, "weakAgents")) > 0

_severity(c) := "high" if {
	c.execSecurity == "full"
} else := "medium"

unknown contains {
	"resource": {"kind": "agent", "key": a.key},
	"reason": _why(a),
} if {
	some a in input.agentPrograms
	a.runtime == "openclaw"
	not a.configState in {"present", "absent"}
}

_why(a) := sprintf("its configuration could not be read: %s", [a.configWhy]) if a.configWhy != ""

else := "its configuration could not be read"

not_applicable := "no agent with a sandbox setting runs" if {
	count([a | some a in input.agentPrograms; a.runtime == "openclaw"]) == 0
}
