# METADATA
# title: One interface carries two zones
# description: >-
#   Administrators and everybody else arrive on the same interface: nothing but a source address
#   separates them. A spoofed or neighbouring address, or one rule that is too wide, joins the
#   zones. This is how a cloud machine with one network card is built. Services that are open to
#   both zones anyway are left to the checks of management, and of those that are limited to named
#   source addresses nothing more is asked where the others are outside.
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
	"remediation": [{"kind": "words", "text": "separate management by interface, VLAN or VRF, or limit its ports to named source addresses"}],
} if {
	some s in input.sharedInterfaces
	not _open_anyway(s)
	not _limited(s)
}

# From outside nobody but the named addresses gets to them, which is what is advised.
_limited(s) if {
	_outside(s)
	every key in s.services {
		_verdict[key] in {"reachable", "unreachable"}
	}
}

_outside(s) if {
	count(s.services) > 0
	every zone in s.zones {
		zone in {"external", "management"}
	}
}

_verdict[svc.key] := svc.reach.external.verdict if some svc in input.services

# Between external and management there is nothing to separate where whoever comes from outside reaches every service of management.
_open_anyway(s) if {
	_outside(s)
	every key in s.services {
		_verdict[key] == "reachable"
	}
}

not_applicable := "what manages the host by an interface of two zones is open to both, which the checks of management tell of" if {
	count(input.sharedInterfaces) > 0
	every s in input.sharedInterfaces {
		_open_anyway(s)
	}
}
