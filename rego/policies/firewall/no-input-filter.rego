# METADATA
# title: No packet filter guards the host itself
# description: >-
#   No base chain of type filter on the input hook has a rule or drops by default: every port
#   that a program opens is open to every zone. Where iptables-legacy has tables whose
#   rules could not be read, the check is unknown.
# custom:
#   severity: critical
#   reads: [network, nftables]
#   remediation: >-
#     Load an input chain with policy drop that allows loopback, established connections, ICMP
#     and the management zone.
#   references:
#     cis: ["Debian 12 v1.1.0 4.3.4", "Debian 12 v1.1.0 4.3.5"]
#     nist: ["SC-7"]
#     attack: ["T1686"]
#     cwe: ["CWE-1188"]
package ringfence.firewall.no_input_filter

import data.ringfence.lib

finding contains {
	"resource": {"kind": "nftables", "key": "input"},
	"message": "no packet filter guards the host: whatever listens is open to every zone",
	"evidence": ["no base chain of type filter on the input hook has rules or drops by default"],
	"remediation": [{"kind": "nft", "text": lib.baseline}],
} if {
	_applies
	count(input.firewall.inputChains) == 0
	count(input.firewall.legacy) == 0
}

unknown contains {
	"resource": {"kind": "nftables", "key": "input"},
	"reason": sprintf("rules of iptables-legacy are not read: %s", [concat("; ", input.firewall.legacy)]),
} if {
	_applies
	count(input.firewall.inputChains) == 0
	count(input.firewall.legacy) > 0
}

_applies if count(input.firewall.input) > 0

not_applicable := "no interface but loopback has an address" if not _applies
