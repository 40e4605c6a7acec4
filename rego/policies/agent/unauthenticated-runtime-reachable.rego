# METADATA
# title: An agent or model runtime without authentication is reachable
# description: >-
#   Ollama, vLLM, Ray, Jupyter without a token, Chrome remote debugging, MCP servers and their
#   kind answer everybody who connects; several of them run code on request. The list of
#   runtimes, their ports and their default authentication is a dated data file.
# custom:
#   severity: critical
#   reads: [agents, listeners.ip, listeners.namespaces, network, nftables, processes.power]
#   remediation: >-
#     Bind the service to loopback or put an authenticating proxy in front, and drop the port
#     from other zones.
#   references:
#     nist: ["SC-7(5)", "AC-3"]
#     attack: ["T1190", "T1496"]
#     cwe: ["CWE-306"]
package ringfence.agent.unauthenticated_runtime_reachable

import data.ringfence.lib

finding contains {
	"resource": {"kind": "agent", "key": sprintf("%s %s", [a.key, svc.key])},
	"message": sprintf("%s on %s answers the %s zone %s", [a.title, svc.key, zone, _without[a.auth]]),
	"severity": _severity(a.auth, zone, reach),
	"zone": zone,
	"evidence": array.concat([sprintf("%s: %s", [a.title, a.evidence])], lib.evidence(reach)),
	"witness": reach.witness,
	"remediation": lib.close(zone, svc),
} if {
	some a in input.agents
	a.auth in {"none", "some"}
	some svc in a.services
	some zone in ["external", "workload"]
	reach := svc.reach[zone]
	reach.verdict == "reachable"
}

_without := {"none": "without authentication", "some": "on some of its paths without its key"}

_severity("some", _, _) := "medium"

_severity("none", "external", _) := "critical"

_severity("none", "workload", reach) := "medium" if {
	reach.local
} else := "critical"

unknown contains {
	"resource": {"kind": "agent", "key": sprintf("%s %s", [a.key, svc.key])},
	"reason": sprintf("whether it asks for authentication is not known%s", [_why(a)]),
} if {
	some a in input.agents
	a.auth == "unknown"
	a.kind != "cli"
	some svc in a.services
	some zone in ["external", "workload"]
	svc.reach[zone].verdict == "reachable"
}

_why(a) := sprintf(": %s", [why]) if {
	some why in {p.authWhy | some p in input.agentPrograms; p.key == a.key; p.authWhy != ""}
} else := ""

unknown contains {
	"resource": {"kind": "agent", "key": sprintf("%s %s", [a.key, svc.key])},
	"reason": lib.unclear(zone, svc.reach[zone]),
} if {
	some a in input.agents
	a.auth in {"none", "some", "unknown"}
	some svc in a.services
	some zone in ["external", "workload"]
	svc.reach[zone].verdict == "unknown"
}

# What no process has open can be in a message that the agent will take: its own, on whatever port.
unknown contains {
	"resource": {"kind": "agent", "key": sprintf("%s %s", [a.key, key])},
	"reason": sprintf("who has %s open was not seen, and it may be %s", [key, a.title]),
} if {
	some a in input.agents
	a.auth in {"none", "some", "unknown"}
	some key in object.get(a, "unseen", [])
}

# A program that passes connections on to where it does not tell.
unknown contains {
	"resource": {"kind": "agent", "key": sprintf("%s %s", [a.key, maybe.key])},
	"reason": maybe.reason,
} if {
	some a in input.agents
	a.auth in {"none", "some", "unknown"}
	some maybe in object.get(a, "maybe", [])
}

not_applicable := "no agent or model runtime runs" if count(input.agents) == 0
