# METADATA
# title: SSH is reachable from outside without an allow list
# description: >-
#   Any address of the external zone can open a connection to an SSH server of the host. A rule
#   that lets only a small part of the addresses through is an allow list and no finding.
# custom:
#   severity: critical
#   reads: [listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Allow the port from the addresses of administrators only, or let SSH listen on the
#     management address.
#   references:
#     cis: ["Debian 12 v1.1.0 2.1.22"]
#     nist: ["SC-7(5)", "AC-17(1)"]
#     attack: ["T1133", "T1021.004"]
#     cwe: ["CWE-1327"]
package ringfence.management.ssh_reachable_from_external

import data.ringfence.lib

_zones := {"external"}

finding contains {
	"resource": {"kind": "service", "key": svc.key},
	"message": sprintf("the SSH server %s is reachable from the %s zone%s", [svc.key, zone, lib.if_served(svc)]),
	"severity": lib.service_severity(zone, svc),
	"zone": zone,
	"evidence": lib.evidence(reach),
	"witness": reach.witness,
	"remediation": lib.close(zone, svc),
} if {
	some svc in input.services
	svc.class == "ssh"
	some zone in _zones
	reach := svc.reach[zone]
	reach.verdict == "reachable"
	not reach.restricted
}

unknown contains {
	"resource": {"kind": "service", "key": svc.key},
	"reason": lib.unclear(zone, reach),
} if {
	some svc in input.services
	svc.class == "ssh"
	not lib.lesser(svc)
	some zone in _zones
	reach := svc.reach[zone]
	reach.verdict == "unknown"
}

# A listener whose owner could not be seen may be an SSH server on another port.
unknown contains {
	"resource": {"kind": "service", "key": svc.key},
	"reason": sprintf("its owner could not be seen, and it is reachable from the %s zone", [zone]),
} if {
	some svc in input.services
	svc.class == "other"
	not lib.lesser(svc)
	svc.proto == "tcp"
	not svc.ownerKnown
	some zone in _zones
	svc.reach[zone].verdict != "unreachable"
}
