# METADATA
# title: File sharing is reachable outside the management zone
# description: >-
#   SMB takes connections from workloads or from outside: shares, named pipes and remote administration of services go over it.
# custom:
#   severity: high
#   reads: [windows.listeners, windows.adapters, windows.reach]
#   remediation: >-
#     Turn off the rules of File and Printer Sharing on the profiles of those networks, or limit them to addresses.
#   references:
#     nist: ["AC-17(3)", "SC-7(5)"]
#     attack: ["T1021.002"]
#     cwe: ["CWE-668"]
package ringfence.windows.smb_reachable

import data.ringfence.lib
import data.ringfence.lib.windows

finding contains {
	"resource": {"kind": "service", "key": x.svc.key},
	"message": sprintf("SMB %s is reachable from the %s zone", [x.svc.key, x.zone]),
	"severity": windows.severity(x, "high"),
	"zone": x.zone,
	"evidence": lib.evidence(x.reach),
	"witness": x.reach.witness,
	"remediation": windows.close(x.zone, x.svc),
} if {
	some x in windows.reachable(input.windowsListeners, "smb")
}

unknown contains {"resource": {"kind": "service", "key": x.svc.key}, "reason": lib.unclear(x.zone, x.reach)} if {
	some x in windows.unclear(input.windowsListeners, "smb")
}

not_applicable := "nothing of the kind listens" if {
	count([1 | some svc in input.windowsListeners; svc.class == "smb"]) == 0
}
