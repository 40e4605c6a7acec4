# METADATA
# title: Remote Desktop is reachable outside the management zone
# description: >-
#   Remote Desktop takes connections from workloads or from outside.
# custom:
#   severity: high
#   reads: [windows.listeners, windows.adapters, windows.reach, windows.rdp]
#   remediation: >-
#     Limit the rules of Remote Desktop to the addresses of those who manage, or put a gateway before it.
#   references:
#     nist: ["AC-17(3)", "SC-7(5)"]
#     attack: ["T1021.001"]
#     cwe: ["CWE-668"]
package ringfence.windows.rdp_reachable

import data.ringfence.lib
import data.ringfence.lib.windows

finding contains {
	"resource": {"kind": "service", "key": x.svc.key},
	"message": sprintf("Remote Desktop %s is reachable from the %s zone", [x.svc.key, x.zone]),
	"severity": windows.severity(x, "high"),
	"zone": x.zone,
	"evidence": lib.evidence(x.reach),
	"witness": x.reach.witness,
	"remediation": windows.close(x.zone, x.svc),
} if {
	some x in windows.reachable(input.windowsListeners, "rdp")
}

unknown contains {"resource": {"kind": "service", "key": x.svc.key}, "reason": lib.unclear(x.zone, x.reach)} if {
	some x in windows.unclear(input.windowsListeners, "rdp")
}

not_applicable := _nothing if not _some

_some if {
	some svc in input.windowsListeners
	svc.class == "rdp"
}

_nothing := "Remote Desktop is on, and its port is not open" if input.windowsRDP.fDenyTSConnections.value == "0"

else := "nothing of the kind listens"
