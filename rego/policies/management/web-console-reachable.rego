# METADATA
# title: An administration page is reachable outside the management zone
# description: >-
#   Cockpit, Webmin, Portainer, Proxmox, Rancher or their kind administers the host by a browser,
#   and is reachable from outside or from workloads: root with a password in between, and with
#   every hole that its web server has.
# custom:
#   severity: high
#   reads: [management, listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Bind it to an address of the management network, and drop the port from other zones.
#   references:
#     nist: ["AC-17(3)", "SC-7(5)"]
#     attack: ["T1133"]
#     cwe: ["CWE-668"]
package ringfence.management.web_console_reachable

import data.ringfence.lib

finding contains {
	"resource": {"kind": "service", "key": o.service.key},
	"message": sprintf("the administration page of %s (%s) is reachable from the %s zone", [o.server.key, o.service.key, o.zone]),
	"severity": _severity(o),
	"zone": o.zone,
	"evidence": array.concat([o.server.evidence], lib.evidence(o.reach)),
	"witness": o.reach.witness,
	"remediation": lib.close(o.zone, o.service),
} if {
	some o in lib.managed_open(input.managed, "console")
}

# What a container or an account has gives no more than that.
_severity(o) := "medium" if lib.lesser(o.service)

else := "high"

unknown := lib.managed_unclear(input.managed, "console")
