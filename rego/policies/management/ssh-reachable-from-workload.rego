# METADATA
# title: SSH is reachable from workloads
# description: >-
#   A container, sandbox or agent can open connections to an SSH server of the host. Code that
#   escapes its task, or is told to by a prompt, can then try keys and passwords on the host
#   that contains it. The answer comes from the packet model: bind address, bound device,
#   routes, sysctls and every nftables rule that a first packet meets. A server on loopback is
#   no exception where workload code runs in the host network namespace.
# custom:
#   severity: critical
#   reads: [listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Let SSH listen on the management address only and drop the port from the workload
#     interfaces in the packet filter.
#   references:
#     cis: ["Debian 12 v1.1.0 4.3.8"]
#     nist: ["SC-7(21)", "AC-17(3)"]
#     attack: ["T1021.004"]
#     cwe: ["CWE-668"]
package ringfence.management.ssh_reachable_from_workload

import data.ringfence.lib

_zones := {"workload"}

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
