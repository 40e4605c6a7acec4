# METADATA
# title: An agent gateway publishes itself by Tailscale
# description: >-
#   With funnel the gateway's page and interface are on the internet, under a name that
#   certificate logs make public; with serve every device of the tailnet reaches them. No packet
#   filter of the host sees it: the connection goes out from here.
# custom:
#   severity: high
#   reads: [agents, processes.power]
#   remediation: >-
#     Set gateway.tailscale.mode to off, or to serve with access rules for single users.
#   references:
#     nist: ["SC-7", "AC-17(3)"]
#     attack: ["T1133", "T1572"]
#     cwe: ["CWE-668"]
package ringfence.agent.published_by_tailscale

_modes := {
	"funnel": {"severity": "high", "who": "everybody on the internet"},
	"serve": {"severity": "low", "who": "every device of its tailnet"},
}

finding contains {
	"resource": {"kind": "agent", "key": a.key, "path": a.config.path},
	"message": sprintf("%s publishes itself to %s", [a.title, mode.who]),
	"severity": mode.severity,
	"evidence": [sprintf("%s: gateway.tailscale.mode is %s", [a.config.path, a.config.tailscale])],
	"remediation": [{"kind": "config", "text": "gateway: {tailscale: {mode: \"off\"}}"}],
} if {
	some a in input.agentPrograms
	a.configState == "present"
	mode := _modes[a.config.tailscale]
}

unknown contains {
	"resource": {"kind": "agent", "key": a.key},
	"reason": sprintf("its configuration was not read: %s", [a.configWhy]),
} if {
	some a in input.agentPrograms
	a.runtime == "openclaw"
	not a.configState in {"present", "absent"}
}

not_applicable := "no agent gateway runs" if {
	count([a | some a in input.agentPrograms; a.runtime == "openclaw"]) == 0
}
