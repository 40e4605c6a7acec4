# METADATA
# title: Workloads reach the metadata service of the cloud
# description: >-
#   The host is a machine of a cloud, and lets what its containers, or agents in its own network
#   namespace, send to the metadata service (169.254.169.254) get there. Who asks that gets the
#   credentials of the machine's role, its user data with what was put there, and its identity.
#   IMDSv2 with a hop limit of 1 keeps containers behind a bridge out too; that is set in the cloud
#   and not seen here.
# custom:
#   severity: medium
#   reads: [system.cloud, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Drop what workloads send to the address, and set a hop limit of 1 for IMDSv2 in the cloud;
#     give workloads identities of their own.
#   references:
#     nist: ["SC-7(4)", "AC-4"]
#     attack: ["T1552.005"]
#     cwe: ["CWE-668"]
package ringfence.firewall.metadata_reachable_from_workload

import data.ringfence.lib

finding contains {
	"resource": {"kind": "forward", "key": sprintf("%s to the metadata service", [w.from])},
	"message": sprintf("workloads %s %s reach the metadata service of the cloud (%s)", [_place(w.from), w.from, input.metadata.cloud]),
	"zone": "workload",
	"evidence": [sprintf("%s: %s", [x.address, x.reach.witness]) | some x in input.metadata.ways; x.from == w.from; x.reach.verdict == "reachable"],
	"witness": w.reach.witness,
	"remediation": [{"kind": "words", "text": _advice(w.from)}],
} if {
	some from in {w.from | some w in input.metadata.ways}
	open := [w | some w in input.metadata.ways; w.from == from; w.reach.verdict == "reachable"]
	w := open[0]
}

_place(from) := "in" if {
	from == _host
} else := "behind"

_host := "the host's own network namespace"

_advice(from) := "give them a network namespace of their own, or in the output hook, before what accepts: meta skuid UID ip daddr 169.254.169.254 drop, for the uid of each" if {
	from == _host
} else := sprintf("in the forward hook, before what accepts: iifname %q ip daddr 169.254.169.254 drop; in the cloud: IMDSv2 with a hop limit of 1", [from])

unknown contains {
	"resource": {"kind": "forward", "key": sprintf("%s to the metadata service", [w.from])},
	"reason": lib.unclear("workload", w.reach),
} if {
	some w in input.metadata.ways
	w.reach.verdict == "unknown"
}

unknown contains {"resource": {"kind": "host", "key": "cloud"}, "reason": sprintf("whether the host is a machine of a cloud is not known: %s", [input.metadata.reason])} if {
	not input.metadata.state in {"present", "absent"}
}

not_applicable := "the host shows no cloud" if input.metadata.state == "absent"

else := "no workloads are attached" if {
	input.metadata.state == "present"
	count(input.metadata.ways) == 0
}
