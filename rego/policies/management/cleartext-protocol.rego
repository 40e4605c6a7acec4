# METADATA
# title: Logins go over the network unencrypted
# description: >-
#   telnet, rsh, rlogin, rexec, TFTP or FTP with accounts and without TLS is reachable: whoever is
#   on the way reads the password and what is done with it, and may put in more. rsh and rlogin
#   believe the address of who connects.
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
	_clear(o.server)
}

# Of a server of FTP its configuration says whether accounts log in, and how.
_clear(m) if not m.settings.login

_clear(m) if object.get(m.settings, ["how", "value"], "") == "logins of accounts without TLS"

# What a container or an account has gives no more than that.
_severity(o) := "medium" if lib.lesser(o.service)

else := "high"

unknown contains u if some u in lib.managed_unclear([m | some m in input.managed; _clear(m)], "cleartext")

unknown contains {"resource": {"kind": "service", "key": o.service.key}, "reason": sprintf("whether logins are encrypted is not known: %s", [o.server.settings.login.reason])} if {
	some o in lib.managed_open(input.managed, "cleartext")
	not o.server.lesser
	object.get(o.server.settings, ["login", "state"], "present") != "present"
}
