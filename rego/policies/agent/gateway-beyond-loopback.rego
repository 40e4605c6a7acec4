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
	not lib.inside(a, svc)
}

_severity(svc) := "high" if {
	some zone in ["external", "workload"]
	svc.reach[zone].verdict == "reachable"
} else := "medium"

not_applicable := "no agent gateway runs" if count([a | some a in input.agents; a.kind == "gateway"]) == 0
