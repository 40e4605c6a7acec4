# METADATA
# title: An agent gateway is reachable from workloads
# description: >-
#   Code that an agent runs, or a container beside it, can open a connection to the gateway that
#   commands the agent. With the token it finds in the environment it becomes the operator.
#   Loopback does not help where such code runs in the host network namespace.
# custom:
#   severity: high
#   reads: [agents, listeners.ip, listeners.namespaces, network, nftables, processes.power]
#   remediation: >-
#     Keep the gateway and its sandboxes in different network namespaces and drop the port from
#     the workload interfaces.
#   references:
#     nist: ["SC-7(21)"]
#     attack: ["T1133"]
#     cwe: ["CWE-668"]
package ringfence.agent.gateway_reachable_from_workload

import data.ringfence.lib

finding contains {
	"resource": {"kind": "agent", "key": sprintf("%s %s", [a.key, svc.key])},
	"message": sprintf("workloads reach %s on %s", [a.title, svc.key]),
	"severity": _severity(reach),
	"zone": "workload",
	"evidence": lib.evidence(reach),
	"witness": reach.witness,
	"remediation": lib.close("workload", svc),
} if {
	some a in input.agents
	a.kind == "gateway"
	some svc in a.services
	reach := svc.reach.workload
	reach.verdict == "reachable"
}

# From a process of the host it is the agent's own shell, held back by the gateway's secret alone.
_severity(reach) := "medium" if {
	reach.local
} else := "high"

unknown contains {
	"resource": {"kind": "agent", "key": sprintf("%s %s", [a.key, svc.key])},
	"reason": lib.unclear("workload", svc.reach.workload),
} if {
	some a in input.agents
	a.kind == "gateway"
	some svc in a.services
	svc.reach.workload.verdict == "unknown"
}

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
