# METADATA
# title: Workloads reach the management network through the host
# description: >-
#   The host forwards connections of containers or sandboxes to the management network, or from
#   there to workloads: the one place that holds the consoles, BMCs and administrators of every
#   machine. The baseline denies both directions explicitly.
# custom:
#   severity: high
#   reads: [network, nftables]
#   remediation: >-
#     Drop what is forwarded between workload and management interfaces, in both directions.
#   references:
#     nist: ["SC-7(21)", "AC-4"]
#     attack: ["T1021"]
#     cwe: ["CWE-653"]
package ringfence.firewall.workload_to_management

import data.ringfence.lib

finding contains {
	"resource": {"kind": "forward", "key": sprintf("%s to %s", [f.from, f.to])},
	"message": sprintf("workloads behind %s reach the management network behind %s", [f.from, f.to]),
	"zone": f.fromZone,
	"evidence": [sprintf("%s: %s", [f.family, f.any.witness])],
	"witness": f.any.witness,
	"remediation": [{
		"kind": "nft", "text": sprintf("drop what is forwarded between %s and %s", [f.from, f.to]),
		"deny": {"zone": "workload", "toZone": "management"},
	}],
} if {
	some f in _pairs("workload")
	f.any.verdict == "reachable"
}

# A function is evaluated once, and its value is no part of the answer: on a host of many networks there is a forward for each two of them.
_pairs(zone) := [f | some f in input.forwards; f.fromZone == zone; f.toZone == "management"]

unknown contains {
	"resource": {"kind": "forward", "key": sprintf("%s to %s", [f.from, f.to])},
	"reason": lib.unclear(f.fromZone, f.any),
} if {
	some f in _pairs("workload")
	f.any.verdict == "unknown"
}

not_applicable := "no workload and management networks are attached" if count(_pairs("workload")) == 0
