# METADATA
# title: The packet filter accepts what no rule names
# description: >-
#   A packet to a port of the host that no rule names gets through. The answer is computed, not
#   read from the policy: a chain with policy accept that ends in a drop is closed, one with
#   policy drop that begins with a broad accept is not.
# custom:
#   severity: high
#   reads: [network, nftables]
#   remediation: >-
#     Set the policy of the input chain to drop and name what may come in.
#   references:
#     cis: ["Debian 12 v1.1.0 4.3.8"]
#     nist: ["SC-7(5)"]
#     cwe: ["CWE-1188"]
package ringfence.firewall.input_accepts_by_default

import data.ringfence.lib

finding contains {
	"resource": {"kind": "nftables", "key": sprintf("input from %s", [i.origin])},
	"message": sprintf("ports that no rule names are open to the %s zone on %s", [i.zone, i.origin]),
	"severity": lib.zone_severity(i.zone),
	"zone": i.zone,
	"evidence": [sprintf("%s: a packet to an unused port gets through (%s)", [i.family, i.reach.witness])],
	"witness": i.reach.witness,
	"remediation": [{"kind": "nft", "text": lib.baseline}],
} if {
	some i in input.firewall.input
	i.zone != "management"
	i.reach.verdict == "reachable"
}

unknown contains {
	"resource": {"kind": "nftables", "key": sprintf("input from %s", [i.origin])},
	"reason": lib.unclear(i.zone, i.reach),
} if {
	some i in input.firewall.input
	i.zone != "management"
	i.reach.verdict == "unknown"
}

not_applicable := "no interface but loopback has an address" if count(input.firewall.input) == 0
