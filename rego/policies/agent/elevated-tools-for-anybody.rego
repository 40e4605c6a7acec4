# METADATA
# title: Whoever writes to an agent runs commands outside its sandbox
# description: >-
#   OpenClaw's elevated tools run on the host whatever the sandbox says, for those senders that
#   allowFrom names. It names everybody: a stranger in a chat is the user of the gateway's
#   account.
# custom:
#   severity: high
#   reads: [agents, processes.power]
#   remediation: >-
#     Name single senders in tools.elevated.allowFrom, or set tools.elevated.enabled to false.
#   references:
#     nist: ["AC-3", "AC-6"]
#     attack: ["T1548", "T1059"]
#     cwe: ["CWE-269", "CWE-284"]
package ringfence.agent.elevated_tools_for_anybody

finding contains {
	"resource": {"kind": "agent", "key": a.key, "path": a.config.path},
	"message": sprintf("%s runs commands outside of every sandbox for whoever writes to it", [a.title]),
	"evidence": [sprintf("%s: tools.elevated is on, and allowFrom has \"*\"", [a.config.path])],
	"remediation": [{"kind": "config", "text": "tools: {elevated: {enabled: false}}"}],
} if {
	some a in input.agentPrograms
	a.runtime == "openclaw"
	a.configState == "present"
	a.config.elevated
	a.config.elevatedAny
}

unknown contains {
	"resource": {"kind": "agent", "key": a.key},
	"reason": sprintf("its configuration was not read: %s", [a.configWhy]),
} if {
	some a in input.agentPrograms
	a.runtime == "openclaw"
	not a.configState in {"present", "absent"}
}

not_applicable := "no agent with elevated tools runs" if {
	count([a | some a in input.agentPrograms; a.runtime == "openclaw"]) == 0
}
