# METADATA
# title: The host forwards what no rule names
# description: >-
#   A connection to a port that no rule names is forwarded through the host, from outside to
#   workloads, or between networks. Workloads that open connections to the outside, and the
#   management zone, are not counted here, nor is what is inside one network of workloads:
#   pods of a cluster talk to each other on purpose.
# custom:
#   severity: high
#   reads: [network, nftables]
#   remediation: >-
#     Set the policy of the forward chain to drop and name what may pass, or turn forwarding
#     off.
#   references:
#     cis: ["Debian 12 v1.1.0 3.3.1", "Debian 12 v1.1.0 4.3.8"]
#     nist: ["AC-4", "SC-7(5)"]
#     cwe: ["CWE-1188"]
package ringfence.firewall.forward_accepts_by_default

import data.ringfence.lib

finding contains {
	"resource": {"kind": "forward", "key": sprintf("%s to %s", [f.from, f.to])},
	"message": sprintf("the host forwards anything from %s (%s) to %s (%s)", [f.from, f.fromZone, f.to, f.toZone]),
	"zone": f.fromZone,
	"evidence": [sprintf("%s: %s", [f.family, f["default"].witness])],
	"witness": f["default"].witness,
	"remediation": [{
		"kind": "nft", "text": sprintf("drop what is forwarded from %s to %s", [f.from, f.to]),
		"deny": {"zone": f.fromZone, "toZone": f.toZone},
	}],
} if {
	some zone in ["external", "workload"]
	some f in _counted(zone)
	f["default"].verdict == "reachable"
}

# Those of a zone that count. A function is evaluated once for each zone, and its value is no part of the answer: on a host of many networks
# there is a forward for each two of them.
_counted("external") := [f | some f in input.forwards; f.fromZone == "external"; f.toZone != "external"]

_counted("workload") := [f | some f in input.forwards; f.fromZone == "workload"; f.toZone in {"workload", "management"}; not f.within]

unknown contains {
	"resource": {"kind": "forward", "key": sprintf("%s to %s", [f.from, f.to])},
	"reason": lib.unclear(f.fromZone, f["default"]),
} if {
	some zone in ["external", "workload"]
	some f in _counted(zone)
	f["default"].verdict == "unknown"
}

not_applicable := "there are not two networks to forward between" if count(_counted("external")) + count(_counted("workload")) == 0
