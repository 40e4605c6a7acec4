# METADATA
# title: One interface carries two zones
# description: >-
#   Administrators and everybody else arrive on the same interface: nothing but a source address
#   separates them. A spoofed or neighbouring address, or one rule that is too wide, joins the
#   zones. This is how a cloud machine with one network card is built. Where the others are
#   outside, named source addresses are enough, and services that are open to both zones are left to
#   the checks of management.
# custom:
#   severity: medium
#   reads: [network, listeners.ip, listeners.namespaces, nftables, processes.power, agents, runtimes]
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
	"remediation": [{"kind": "words", "text": "separate management by interface, VLAN or VRF"}],
} if {
	some s in input.sharedInterfaces
	not _outside(s)
}

# Administrators who come in with everybody from outside: what is open to all is told elsewhere, and that the others are stopped by their addresses is
# what is advised.
_outside(s) if {
	every zone in s.zones {
		zone in {"external", "management"}
	}
}

_verdict[svc.key] := svc.reach.external.verdict if some svc in input.services

unknown contains {
	"resource": {"kind": "interface", "key": s.name},
	"reason": sprintf("whether an address separates the zones there hangs on who reaches %s", [key]),
} if {
	some s in input.sharedInterfaces
	_outside(s)
	some key in s.services
	_verdict[key] == "unknown"
}

not_applicable := "what manages the host by an interface of two zones is open to both, which the checks of management tell of" if {
	count(input.sharedInterfaces) > 0
	every s in input.sharedInterfaces {
		_outside(s)
		every key in s.services {
			_verdict[key] == "reachable"
		}
	}
}
