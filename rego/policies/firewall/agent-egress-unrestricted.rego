# METADATA
# title: Agents in containers reach every port of the outside
# description: >-
#   An agent runs in a container, and the host forwards its connections to any port outside, as
#   engines set it up. Code that the agent was talked into running takes data out, fetches more,
#   and calls home by whatever it likes. An allow list at the host, or a proxy, stops it. Of other
#   containers nothing is asked.
# custom:
#   severity: low
#   reads: [agents, processes.power, network, nftables]
#   remediation: >-
#     Drop what is forwarded from workload to external interfaces, but for the names and ports that
#     are needed, or lead it through a proxy.
#   references:
#     nist: ["SC-7(5)", "AC-4"]
#     attack: ["T1041", "T1071"]
#     cwe: ["CWE-923"]
package ringfence.firewall.agent_egress_unrestricted

import data.ringfence.lib

# What a user calls a container of its own says nothing about the networks of others.
_agents := {a.key |
	some a in input.agentPrograms
	a.container != ""
	not regex.match(` of uid [0-9]+$`, a.container)
}

_out := [f | some f in input.forwards; f.fromZone == "workload"; f.toZone == "external"]

finding contains {
	"resource": {"kind": "forward", "key": sprintf("%s to the outside", [f.from])},
	"message": sprintf("agents in containers reach every port of the outside by %s", [f.from]),
	"zone": "workload",
	"evidence": [sprintf("%s by %s: %s", [f.family, f.to, f["default"].witness]), sprintf("agents in containers: %s", [concat(", ", _agents)])],
	"witness": f["default"].witness,
	"remediation": [{"kind": "words", "text": sprintf("forward from %s only what its workloads need: a proxy, or named addresses and ports, and drop the rest", [f.from])}],
} if {
	count(_agents) > 0
	some f in _out
	f["default"].verdict == "reachable"
}

unknown contains {
	"resource": {"kind": "forward", "key": sprintf("%s to the outside", [f.from])},
	"reason": lib.unclear("workload", f["default"]),
} if {
	count(_agents) > 0
	some f in _out
	f["default"].verdict == "unknown"
}

not_applicable := "no agent runs in a container that is attached to the outside" if count(_agents) == 0

else := "no workload is attached to the outside" if count(_out) == 0
