# METADATA
# title: An IPMI (RMCP) listener is reachable outside the management zone
# description: >-
#   The host answers on UDP or TCP 623 or 664, or a program on it plays the BMC of virtual machines
#   (VirtualBMC, ipmi_sim) on any port. RMCP+ gives away a password hash to anybody who
#   asks (CVE-2013-4786), so only the network protects it. A real BMC has an address of its own,
#   which the host can neither see nor filter.
# custom:
#   severity: critical
#   reads: [listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Drop the port (623, 664, or that of the program) from every zone but management, or stop the
#     program that listens.
#   references:
#     nist: ["AC-17", "SC-7"]
#     attack: ["T1133"]
#     cwe: ["CWE-668", "CWE-916"]
#     cve: ["CVE-2013-4786"]
package ringfence.management.ipmi_reachable

import data.ringfence.lib

_zones := {"workload", "external"}

finding contains {
	"resource": {"kind": "service", "key": svc.key},
	"message": sprintf("the IPMI (RMCP) server %s is reachable from the %s zone%s", [svc.key, zone, lib.if_served(svc)]),
	"severity": lib.service_severity(zone, svc),
	"zone": zone,
	"evidence": lib.evidence(reach),
	"witness": reach.witness,
	"remediation": lib.close(zone, svc),
} if {
	some svc in input.services
	svc.class == "ipmi"
	svc.ownerKnown
	some zone in _zones
	reach := svc.reach[zone]
	reach.verdict == "reachable"
}

# Reserved ports are given to other programs too.
unknown contains {
	"resource": {"kind": "service", "key": svc.key},
	"reason": sprintf("its owner could not be seen, and it is reachable from the %s zone", [zone]),
} if {
	some svc in input.services
	svc.class == "ipmi"
	not svc.ownerKnown
	not lib.lesser(svc)
	some zone in _zones
	svc.reach[zone].verdict == "reachable"
}

unknown contains {
	"resource": {"kind": "service", "key": svc.key},
	"reason": lib.unclear(zone, reach),
} if {
	some svc in input.services
	svc.class == "ipmi"
	not lib.lesser(svc)
	some zone in _zones
	reach := svc.reach[zone]
	reach.verdict == "unknown"
}
