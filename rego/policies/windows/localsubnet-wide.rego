# METADATA
# title: LocalSubnet stands for more than a network
# description: >-
#   An interface has a prefix of less than 16 bits, as some VPNs give it, and rules let LocalSubnet in on its profile: that
#   is made into all of these addresses.
# custom:
#   severity: high
#   reads: [windows.firewall, windows.adapters]
#   remediation: >-
#     Give the rules the addresses that are meant, or the interface its own prefix.
#   references:
#     nist: ["SC-7(5)"]
#     cwe: ["CWE-668"]
package ringfence.windows.localsubnet_wide

finding contains {
	"resource": {"kind": "interface", "key": n.name},
	"message": sprintf("LocalSubnet stands for all addresses of /%d on %s, and %d rules let it in", [n.widest, n.name, count(rules)]),
	"evidence": [text | some text in array.slice(sort(rules), 0, 10)],
	"remediation": [{"kind": "words", "text": sprintf("give these rules the addresses that are meant instead of LocalSubnet: %s", [concat(", ", array.slice(sort(rules), 0, 10))])}],
} if {
	some n in input.windowsNetworks
	n.widest < 16
	n.kind != "loopback"
	n.known
	rules := [r.id | some r in input.windowsRules; n.profile in r.profiles]
	count(rules) > 0
}

unknown contains {"resource": {"kind": "interface", "key": n.name}, "reason": "the profile of the interface was not read"} if {
	some n in input.windowsNetworks
	n.widest < 16
	n.kind != "loopback"
	not n.known
}

unknown contains {"resource": {"kind": "interface", "key": n.name}, "reason": sprintf("whether LocalSubnet stands for what a route to its link is for (/%d) is not known", [n.linked])} if {
	some n in _lets
	n.linked < 16
}

unknown contains {
	"resource": {"kind": "interface", "key": n.name},
	"reason": "which routes lead to its link was not told (Get-NetRoute), and LocalSubnet may stand for what they are for",
} if {
	some n in _lets
	n.linked >= 16
	not n.told
}

# Interfaces that have no wide prefix themselves, and are of a profile on which a rule lets LocalSubnet in.
_lets contains n if {
	some n in input.windowsNetworks
	n.widest >= 16
	n.kind != "loopback"
	n.known
	count(n.addrs) > 0
	some r in input.windowsRules
	n.profile in r.profiles
}
