# METADATA
# title: Workloads reach the metadata service of the cloud
# description: >-
#   The host is a machine of a cloud, and forwards what its containers send to the metadata service
#   (169.254.169.254). Who asks that gets the credentials of the machine's role, its user data with
#   what was put there, and its identity. IMDSv2 with a hop limit of 1 keeps containers behind a
#   bridge out too; that is set in the cloud and not seen here.
# custom:
#   severity: medium
#   reads: [system.cloud, network, nftables]
#   remediation: >-
#     Drop what is forwarded from workloads to the address, and set a hop limit of 1 for IMDSv2 in
#     the cloud; give workloads identities of their own.
#   references:
#     nist: ["SC-7(4)", "AC-4"]
#     attack: ["T1552.005"]
#     cwe: ["CWE-668"]
package ringfence.firewall.metadata_reachable_from_workload

import data.ringfence.lib

finding contains {
	"resource": {"kind": "forward", "key": sprintf("%s to the metadata service", [w.from])},
	"message": sprintf("workloads behind %s reach the metadata service of the cloud (%s)", [w.from, input.metadata.cloud]),
	"zone": "workload",
	"evidence": [sprintf("%s: %s", [x.address, x.reach.witness]) | some x in input.metadata.ways; x.from == w.from; x.reach.verdict == "reachable"],
	"witness": w.reach.witness,
	"remediation": [{"kind": "words", "text": sprintf("in the forward hook, before what accepts: iifname %q ip daddr 169.254.169.254 drop; in the cloud: IMDSv2 with a hop limit of 1", [w.from])}],
} if {
	some from in {w.from | some w in input.metadata.ways}
	open := [w | some w in input.metadata.ways; w.from == from; w.reach.verdict == "reachable"]
	w := open[0]
}

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
