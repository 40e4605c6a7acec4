# METADATA
# title: WinRM or OMI is reachable outside the management zone
# description: >-
#   A WinRM or OMI listener (TCP 5985, 5986, 1270) is reachable from workloads or from outside.
#   OMI has given unauthenticated root before (CVE-2021-38647).
# custom:
#   severity: critical
#   reads: [listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Set httpport and httpsport to 0 in omiserver.conf, or drop the ports from every zone but
#     management.
#   references:
#     nist: ["AC-17(3)", "SC-7(5)"]
#     attack: ["T1021.006", "T1190"]
#     cwe: ["CWE-306", "CWE-668"]
#     cve: ["CVE-2021-38647"]
package ringfence.management.winrm_reachable

import data.ringfence.lib

_zones := {"workload", "external"}

finding contains {
	"resource": {"kind": "service", "key": svc.key},
	"message": sprintf("the WinRM or OMI server %s is reachable from the %s zone%s", [svc.key, zone, lib.if_served(svc)]),
	"severity": _severity(svc, zone),
	"zone": zone,
	"evidence": lib.evidence(reach),
	"witness": reach.witness,
	"remediation": lib.close(zone, svc),
} if {
	some svc in input.services
	svc.class == "winrm"
	some zone in _zones
	reach := svc.reach[zone]
	reach.verdict == "reachable"
}

unknown contains {
	"resource": {"kind": "service", "key": svc.key},
	"reason": lib.unclear(zone, reach),
} if {
	some svc in input.services
	svc.class == "winrm"
	not lib.lesser(svc)
	some zone in _zones
	reach := svc.reach[zone]
	reach.verdict == "unknown"
}

# What a user holds manages no more than that user, and by the port alone it is whatever the user likes.
_severity(svc, zone) := "medium" if {
	startswith(svc.gives, "uid ")
} else := lib.service_severity(zone, svc)
