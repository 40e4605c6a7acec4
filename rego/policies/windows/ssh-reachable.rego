# METADATA
# title: The SSH server is reachable outside the management zone
# description: >-
#   The OpenSSH server of Windows takes connections from workloads or from outside. Its rule has been for all profiles.
# custom:
#   severity: high
#   reads: [windows.listeners, windows.adapters, windows.reach]
#   remediation: >-
#     Limit the rule OpenSSH-Server-In-TCP to the private and domain profiles and to the addresses of those who manage.
#   references:
#     nist: ["AC-17(3)", "SC-7(5)"]
#     attack: ["T1021.004"]
#     cwe: ["CWE-668"]
package ringfence.windows.ssh_reachable

import data.ringfence.lib
import data.ringfence.lib.windows

finding contains {
	"resource": {"kind": "service", "key": x.svc.key},
	"message": sprintf("the SSH server %s is reachable from the %s zone", [x.svc.key, x.zone]),
	"severity": windows.severity(x, "high"),
	"zone": x.zone,
	"evidence": lib.evidence(x.reach),
	"witness": x.reach.witness,
	"remediation": windows.close(x.zone, x.svc),
} if {
	some x in windows.reachable(input.windowsListeners, "ssh")
}

unknown contains {"resource": {"kind": "service", "key": x.svc.key}, "reason": lib.unclear(x.zone, x.reach)} if {
	some x in windows.unclear(input.windowsListeners, "ssh")
}

not_applicable := "nothing of the kind listens" if {
	count([1 | some svc in input.windowsListeners; svc.class == "ssh"]) == 0
}
