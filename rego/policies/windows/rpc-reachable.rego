# METADATA
# title: The RPC endpoint mapper is reachable outside the management zone
# description: >-
#   RPC takes connections from workloads or from outside: services, tasks and WMI are managed over it.
# custom:
#   severity: medium
#   reads: [windows.listeners, windows.adapters, windows.reach]
#   remediation: >-
#     Turn off the rules that let RPC in on the profiles of those networks, or limit them to addresses.
#   references:
#     nist: ["AC-17(3)", "SC-7(5)"]
#     attack: ["T1021.003"]
#     cwe: ["CWE-668"]
package ringfence.windows.rpc_reachable

import data.ringfence.lib
import data.ringfence.lib.windows

finding contains {
	"resource": {"kind": "service", "key": x.svc.key},
	"message": sprintf("the RPC endpoint mapper %s is reachable from the %s zone", [x.svc.key, x.zone]),
	"severity": windows.severity(x, "medium"),
	"zone": x.zone,
	"evidence": lib.evidence(x.reach),
	"witness": x.reach.witness,
	"remediation": windows.close(x.zone, x.svc),
} if {
	some x in windows.reachable(input.windowsListeners, "rpc")
}

unknown contains {"resource": {"kind": "service", "key": x.svc.key}, "reason": lib.unclear(x.zone, x.reach)} if {
	some x in windows.unclear(input.windowsListeners, "rpc")
}

not_applicable := "nothing of the kind listens" if {
	count([1 | some svc in input.windowsListeners; svc.class == "rpc"]) == 0
}
