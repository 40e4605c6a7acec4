# METADATA
# title: An agent gateway asks for no authentication
# description: >-
#   Who connects to the gateway is its operator: runs tools, reads conversations, changes the
#   configuration. Without a token or password that is everybody who reaches the port, web pages
#   in a local browser among them.
# custom:
#   severity: critical
#   reads: [agents, processes.power, listeners.ip, listeners.namespaces]
#   remediation: >-
#     Set gateway.auth.mode to token or password and give a long secret.
#   references:
#     nist: ["IA-2", "AC-3"]
#     attack: ["T1133", "T1190"]
#     cwe: ["CWE-306"]
package ringfence.agent.gateway_without_authentication

finding contains {
	"resource": {"kind": "agent", "key": a.key},
	"message": sprintf("%s takes commands without authentication", [a.title]),
	"severity": _severity(a),
	"evidence": [sprintf("%s: %s", [a.title, a.evidence]), sprintf("authentication: %s", [a.auth])],
	"remediation": [{"kind": "config", "text": "gateway: {auth: {mode: \"token\", token: \"<long random secret>\"}}"}],
} if {
	some a in input.agentPrograms
	a.kind == "gateway"
	a.auth == "none"
}

_severity(a) := "critical" if {
	some l in input.agentListeners
	l.agent == a.key
	l.unclear == ""
	not l.loopback
} else := "medium" if {
	_local(a)
} else := "high"

# What listens on loopback alone is open to processes of the host; where it listens has to be known.
_local(a) if {
	listens := [l | some l in input.agentListeners; l.agent == a.key]
	count(listens) > 0
	every l in listens {
		l.loopback
		l.unclear == ""
	}
}

unknown contains {
	"resource": {"kind": "agent", "key": a.key},
	"reason": _why(a),
} if {
	some a in input.agentPrograms
	a.kind == "gateway"
	a.auth == "unknown"
}

_why(a) := sprintf("how it authenticates is not known: %s", [a.authWhy]) if a.authWhy != ""

else := "neither its configuration nor its environment tells how it authenticates"

not_applicable := "no agent gateway runs" if count([a | some a in input.agentPrograms; a.kind == "gateway"]) == 0
