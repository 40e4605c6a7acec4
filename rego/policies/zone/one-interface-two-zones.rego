# METADATA
# title: One interface carries two zones
# description: >-
#   Administrators and everybody else arrive on the same interface: nothing but a source address
#   separates them. A spoofed or neighbouring address, or one rule that is too wide, joins the
#   zones. Where the others are outside, the checks of management tell who gets in, and named
#   source addresses are enough.
# custom:
#   severity: medium
#   reads: [network, listeners.ip]
#   remediation: >-
#     Use a second interface, a VLAN or a VRF for management.
#   references:
#     nist: ["SC-7(13)"]
#     cwe: ["CWE-653"]
package ringfence.zone.one_interface_two_zones

finding contains {
	"resource": {"kind": "interface", "key": s.name},
	"message": sprintf("on %s nothing but an address separates the zones %s", [s.name, concat(" and ", s.zones)]),
	"evidence": [sprintf("%s leads to %s", [s.name, concat(", ", s.services)])],
	"remediation": [{"kind": "words", "text": "separate management by interface, VLAN or VRF"}],
} if {
	some s in input.sharedInterfaces
	not _outside(s)
}

# Administrators who come in with everybody from outside: who gets in is what the checks of management tell, and named source addresses are what they advise.
_outside(s) if {
	every zone in s.zones {
		zone in {"external", "management"}
	}
}

not_applicable := "administrators come in with everybody from outside: the checks of management tell who gets in" if {
	count(input.sharedInterfaces) > 0
	every s in input.sharedInterfaces {
		_outside(s)
	}
}
