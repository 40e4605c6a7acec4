# METADATA
# title: An agent gateway listens beyond loopback
# description: >-
#   The gateway of an agent takes instructions and gives out what the agent can do. It belongs
#   on loopback, with a tunnel or proxy in front. In a container the published address counts,
#   not the one inside.
# custom:
#   severity: medium
#   reads: [agents, processes.power, listeners.ip, listeners.namespaces]
#   remediation: >-
#     Bind the gateway to loopback (gateway.bind: loopback); in a container publish it on
#     127.0.0.1.
#   references:
#     nist: ["SC-7", "CM-7"]
#     attack: ["T1133"]
#     cwe: ["CWE-1327"]
package ringfence.agent.gateway_beyond_loopback

finding contains {
	"resource": {"kind": "agent", "key": sprintf("%s %s", [l.agent, l.key])},
	"message": sprintf("%s listens on %s, not on loopback alone", [l.title, l.key]),
	"severity": _severity(l),
	"evidence": array.concat([sprintf("%s: %s%s", [l.title, l.evidence, _guess(l)])], l.evidences),
	"remediation": [{"kind": "config", "text": _advice(l)}],
} if {
	some l in _listeners
	not _kept(l)
}

_listeners := [l |
	some l in input.agentListeners
	l.kind == "gateway"
	l.unclear == ""
	not l.loopback
]

# Binding wide is normal in a container of its own, as long as nobody outside gets there: by a published port, which can be another one
# and have no listener on the host.
_kept(l) if {
	l.inside
	count([zone | some zone in ["external", "management"]; l.open[zone] == "reachable"]) == 0
}

# What it publishes by a tunnel is on loopback here.
finding contains {
	"resource": {"kind": "agent", "key": sprintf("%s tailscale %s", [a.key, a.config.tailscale]), "path": a.config.path},
	"message": sprintf("%s publishes itself by Tailscale to %s", [a.title, _to[a.config.tailscale]]),
	"severity": _tunnel[a.config.tailscale],
	"evidence": [sprintf("%s: gateway.tailscale.mode is %s", [a.config.path, a.config.tailscale])],
	"remediation": [{"kind": "config", "text": "gateway: {tailscale: {mode: \"off\"}}"}],
} if {
	some a in input.agentPrograms
	a.kind == "gateway"
	object.get(a, "config", null) != null
	object.get(a.config, "tailscale", "") in {"serve", "funnel"}
}

_to := {"serve": "its whole network", "funnel": "the internet"}

_tunnel := {"serve": "medium", "funnel": "high"}

unknown contains {
	"resource": {"kind": "agent", "key": sprintf("%s %s", [l.agent, l.key])},
	"reason": sprintf("whether the %s zone reaches it hangs on: %s", [zone, concat("; ", l.because)]),
} if {
	some l in _listeners
	_kept(l)
	some zone in ["external", "management"]
	l.open[zone] == "unknown"
}

_severity(l) := "high" if {
	some zone in ["external", "workload"]
	l.open[zone] == "reachable"
} else := "medium"

_guess(l) := " (who has the socket open was not seen; its port and its uid are the gateway's)" if l.guessed

else := ""

_advice(l) := sprintf("publish the port on loopback: 127.0.0.1:%d:%d", [l.port, l.port]) if l.inContainer

else := "gateway: {bind: \"loopback\"}"

# A program that passes connections on to where it does not tell.
unknown contains {
	"resource": {"kind": "agent", "key": sprintf("%s %s", [l.agent, l.key])},
	"reason": l.unclear,
} if {
	some l in input.agentListeners
	l.kind == "gateway"
	l.unclear != ""
}

not_applicable := "no agent gateway runs" if count([a | some a in input.agentPrograms; a.kind == "gateway"]) == 0
