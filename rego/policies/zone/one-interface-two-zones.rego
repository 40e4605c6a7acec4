# METADATA
# title: One interface carries two zones
# description: >-
#   Administrators and everybody else arrive on the same interface: nothing but a source address
#   separates them. A spoofed or neighbouring address, or one rule that is too wide, joins the
#   zones. This is how a cloud machine with one network card is built.
# custom:
#   severity: medium
#   reads: [network, listeners.ip]
#   remediation: >-
#     Use a second interface, a VLAN or a VRF for management; else limit management ports to
#     named source addresses.
#   references:
#     nist: ["SC-7(13)"]
#     cwe: ["CWE-653"]
package ringfence.zone.one_interface_two_zones

finding contains {
	"resource": {"kind": "interface", "key": s.name},
	"message": sprintf("on %s nothing but an address separates the zones %s", [s.name, concat(" and ", s.zones)]),
	"evidence": [sprintf("%s leads to %s", [s.name, concat(", ", s.services)])],
	"remediation": [{"kind": "words", "text": "separate management by interface, VLAN or VRF, or limit its ports to named source addresses"}],
} if {
	some s in input.sharedInterfaces
}
