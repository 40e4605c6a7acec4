# METADATA
# title: Packets are filtered outside nftables
# description: >-
#   Tables of iptables-legacy whose rules could not be read, XDP programs or traffic control act on
#   packets beside or before nftables. What is reachable can then not be proved, and two
#   administrations work against each other.
# custom:
#   severity: high
#   reads: [network, nftables]
#   remediation: >-
#     Move the rules to nftables (iptables-nft), and declare the programs.
#   references:
#     cis: ["Debian 12 v1.1.0 4.1.1"]
#     nist: ["CM-6"]
#     cwe: ["CWE-693"]
package ringfence.firewall.rules_outside_nftables

finding contains {
	"resource": {"kind": "filter", "key": what},
	"message": sprintf("packets are filtered outside nftables: %s", [what]),
	"evidence": [what],
	"remediation": [{"kind": "words", "text": "iptables-legacy-save | iptables-nft-restore, then flush the legacy tables"}],
} if {
	some what in array.concat(input.firewall.legacy, input.firewall.programs)
}

unknown contains {
	"resource": {"kind": "filter", "key": what},
	"reason": sprintf("%s may be of another network namespace: the kernel does not tell", [what]),
} if {
	some what in input.firewall.beside
}
