# METADATA
# title: IPv6 is open where IPv4 is filtered
# description: >-
#   The packet filter closes the host for IPv4 and leaves it open for IPv6. Every interface has
#   a link-local IPv6 address, so neighbours reach every port without any further set-up.
# custom:
#   severity: high
#   reads: [network, nftables]
#   remediation: >-
#     Use tables of family inet, or repeat the rules for ip6.
#   references:
#     cis: ["Debian 12 v1.1.0 4.4.3.1"]
#     nist: ["SC-7"]
#     cwe: ["CWE-693"]
package ringfence.firewall.ipv6_unfiltered

import data.ringfence.lib

finding contains {
	"resource": {"kind": "nftables", "key": sprintf("ipv6 input from %s", [six.origin])},
	"message": sprintf("IPv6 is open on %s where IPv4 is closed", [six.origin]),
	"zone": six.zone,
	"evidence": [sprintf("ipv6 %s gets through; ipv4 is stopped by %s", [six.reach.witness, concat("; ", four.reach.stoppedBy)])],
	"witness": six.reach.witness,
	"remediation": [{"kind": "nft", "text": lib.baseline}],
} if {
	some six in input.firewall.input
	six.family == "ipv6"
	six.reach.verdict == "reachable"
	some four in input.firewall.input
	four.family == "ipv4"
	four.origin == six.origin
	four.zone == six.zone
	four.reach.verdict == "unreachable"
}

unknown contains {
	"resource": {"kind": "nftables", "key": sprintf("ipv6 input from %s", [six.origin])},
	"reason": lib.unclear(six.zone, six.reach),
} if {
	some six in input.firewall.input
	six.family == "ipv6"
	six.reach.verdict == "unknown"
}

# Open for IPv6, and not known for IPv4.
unknown contains {
	"resource": {"kind": "nftables", "key": sprintf("ipv6 input from %s", [six.origin])},
	"reason": sprintf("IPv6 is open there, and for IPv4: %s", [lib.unclear(four.zone, four.reach)]),
} if {
	some six in input.firewall.input
	six.family == "ipv6"
	six.reach.verdict == "reachable"
	some four in input.firewall.input
	four.family == "ipv4"
	four.origin == six.origin
	four.zone == six.zone
	four.reach.verdict == "unknown"
}

not_applicable := "the host has no IPv6 address beyond loopback" if not input.firewall.ipv6
