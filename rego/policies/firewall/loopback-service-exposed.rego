# METADATA
# title: A service that listens on loopback alone is reached from a network
# description: >-
#   The service trusts that only the host itself reaches it. With route_localnet, or with a
#   translation to 127.0.0.1, neighbours do too.
# custom:
#   severity: high
#   reads: [listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Turn net.ipv4.conf.*.route_localnet off, remove the translation, or drop packets to
#     127.0.0.0/8 that come in by other interfaces than lo.
#   references:
#     nist: ["SC-7", "AC-3"]
#     cve: ["CVE-2020-8558"]
#     cwe: ["CWE-441"]
package ringfence.firewall.loopback_service_exposed

import data.ringfence.lib

finding contains {
	"resource": {"kind": "service", "key": svc.key},
	"message": sprintf("%s listens on loopback alone, and the %s zone reaches it", [svc.key, zone]),
	"zone": zone,
	"evidence": lib.evidence(svc.reach[zone]),
	"witness": svc.reach[zone].witness,
	"remediation": lib.close(zone, svc),
} if {
	some svc in input.services
	svc.loopback
	some zone in ["external", "unclassified", "workload", "management"]
	svc.reach[zone].verdict == "reachable"
	not svc.reach[zone].local
	not svc.by[zone] # a program that leads there is no leak: what it publishes other checks judge
}

unknown contains {
	"resource": {"kind": "service", "key": svc.key},
	"reason": lib.unclear(zone, svc.reach[zone]),
} if {
	some svc in input.services
	svc.loopback
	not lib.lesser(svc)
	some zone in ["external", "unclassified", "workload", "management"]
	svc.reach[zone].verdict == "unknown"
	not svc.reach[zone].local
	not svc.by[zone] # a program that leads there is no leak: what it publishes other checks judge
}

not_applicable := "no service listens on loopback alone" if count([s | some s in input.services; s.loopback]) == 0
