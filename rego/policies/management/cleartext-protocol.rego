# METADATA
# title: Logins go over the network unencrypted
# description: >-
#   telnet, rsh, rlogin, rexec or TFTP is reachable: whoever is on the way reads the password and
#   what is done with it, and may put in more. rsh and rlogin believe the address of who connects.
# custom:
#   severity: high
#   reads: [management, listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Remove the service and use SSH; else bind it to loopback.
#   references:
#     cis: ["Debian 12 v1.1.0 2.1.22"]
#     nist: ["AC-17(2)", "SC-8(1)"]
#     attack: ["T1040", "T1021"]
#     cwe: ["CWE-319"]
package ringfence.management.cleartext_protocol

import data.ringfence.lib

finding contains {
	"resource": {"kind": "service", "key": o.service.key},
	"message": sprintf("%s (%s) takes logins or files unencrypted from the %s zone", [o.server.key, o.service.key, o.zone]),
	"severity": _severity(o),
	"zone": o.zone,
	"evidence": array.concat([o.server.evidence], lib.evidence(o.reach)),
	"witness": o.reach.witness,
	"remediation": lib.close(o.zone, o.service),
} if {
	some o in lib.managed_open(input.managed, "cleartext")
}

# What a container or an account has gives no more than that.
_severity(o) := "medium" if lib.lesser(o.service)

else := "high"

unknown := lib.managed_unclear(input.managed, "cleartext")
