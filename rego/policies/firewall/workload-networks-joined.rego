# METADATA
# title: Workloads of different networks reach each other
# description: >-
#   Two networks of workloads were made apart, and the host forwards between them. Who gets into
#   one container goes on to those of another application or tenant: that networks are different is
#   then no boundary. Inside one network, of a cluster or a compose file, nothing is asked.
# custom:
#   severity: medium
#   reads: [network, nftables]
#   remediation: >-
#     Drop what is forwarded between the two interfaces, in both directions; let single ports pass
#     where they are meant to.
#   references:
#     cis: ["Docker v1.6.0 2.2"]
#     nist: ["SC-7(21)", "AC-4"]
#     attack: ["T1210"]
#     cwe: ["CWE-653"]
package ringfence.firewall.workload_networks_joined

import data.ringfence.lib

_between := [f |
	some f in input.forwards
	f.fromZone == "workload"
	f.toZone == "workload"
	f.from != f.to
	object.get(f, "within", "") == ""
]

finding contains {
	"resource": {"kind": "forward", "key": concat(" and ", sort([f.from, f.to]))},
	"message": sprintf("workloads behind %s and %s reach each other", sort([f.from, f.to])),
	"zone": "workload",
	"evidence": [sprintf("%s from %s to %s: %s", [f.family, f.from, f.to, f["default"].witness])],
	"remediation": [{"kind": "words", "text": sprintf("drop what is forwarded between %s and %s, or put their workloads into one network", sort([f.from, f.to]))}],
} if {
	some f in _between
	f["default"].verdict == "reachable"
}

unknown contains {
	"resource": {"kind": "forward", "key": concat(" and ", sort([f.from, f.to]))},
	"reason": lib.unclear("workload", f["default"]),
} if {
	some f in _between
	f["default"].verdict == "unknown"
}

not_applicable := "there are no two networks of workloads" if count(_between) == 0
