# METADATA
# title: An agent gateway listens beyond loopback
# description: >-
#   The gateway of an agent takes instructions and gives out what the agent can do. It belongs
#   on loopback, with a tunnel or proxy in front. In a container the published address counts,
#   not the one inside.
# custom:
#   severity: medium
#   reads: [agents, listeners.ip, listeners.namespaces, network, nftables, processes.power]
#   remediation: >-
#     Bind the gateway to loopback (gateway.bind: loopback); in a container publish it on
#     127.0.0.1.
#   references:
#     nist: ["SC-7", "CM-7"]
#     attack: ["T1133"]
#     cwe: ["CWE-1327"]
package ringfence.agent.gateway_beyond_loopback

import data.ringfence.lib

finding contains {
	"resource": {"kind": "agent", "key": sprintf("%s %s", [a.key, svc.key])},
	"message": sprintf("%s listens on %s, not on loopback alone", [a.title, svc.key]),
	"severity": _severity(svc),
	"evidence": array.concat([sprintf("%s: %s", [a.title, a.evidence])], [e | some zone; some e in lib.evidence(svc.reach[zone])]),
	"remediation": [{"kind": "config", "text": lib.bind_advice(a, svc)}],
} if {
	some a in input.agents
	a.kind == "gateway"
	some svc in a.services
	not svc.loopback
	not _inside(a, svc)
}

# Binding wide is normal in a container of its own, as long as nobody outside gets there: by a published port, which can be another one
# and have no listener on the host.
_inside(agent, svc) if {
	lib.inside(agent, svc)
	count([zone | some zone in ["external", "management"]; object.get(svc.reach, zone, {"verdict": "unreachable"}).verdict == "reachable"]) == 0
}

unknown contains {
	"resource": {"kind": "agent", "key": sprintf("%s %s", [a.key, svc.key])},
	"reason": lib.unclear(zone, svc.reach[zone]),
} if {
	some a in input.agents
	a.kind == "gateway"
	some svc in a.services
	not svc.loopback
	_inside(a, svc)
	some zone in ["external", "management"]
	svc.reach[zone].verdict == "unknown"
}

_severity(svc) := "high" if {
	some zone in ["external", "workload"]
	svc.reach[zone].verdict == "reachable"
} else := "medium"

# A program that passes connections on to where it does not tell.
unknown contains {
	"resource": {"kind": "agent", "key": sprintf("%s %s", [a.key, maybe.key])},
	"reason": maybe.reason,
} if {
	some a in input.agents
	a.kind == "gateway"
	some maybe in object.get(a, "maybe", [])
}

not_applicable := "no agent gateway runs" if count([a | some a in input.agents; a.kind == "gateway"]) == 0
