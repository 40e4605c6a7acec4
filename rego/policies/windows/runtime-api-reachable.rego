# METADATA
# title: The API of a container runtime is reachable over the network
# description: >-
#   Docker or containerd takes connections from workloads or from outside. Without client certificates whoever connects is administrator.
# custom:
#   severity: critical
#   reads: [windows.listeners, windows.adapters, windows.reach]
#   remediation: >-
#     Take the address out of the hosts of daemon.json, so that the runtime listens on its pipe alone.
#   references:
#     nist: ["AC-17(3)", "SC-7(5)"]
#     attack: ["T1610"]
#     cwe: ["CWE-668"]
package ringfence.windows.runtime_api_reachable

import data.ringfence.lib
import data.ringfence.lib.windows

finding contains {
	"resource": {"kind": "service", "key": x.svc.key},
	"message": sprintf("the runtime API %s is reachable from the %s zone", [x.svc.key, x.zone]),
	"severity": windows.severity(x, "critical"),
	"zone": x.zone,
	"evidence": lib.evidence(x.reach),
	"witness": x.reach.witness,
	"remediation": windows.close(x.zone, x.svc),
} if {
	some x in windows.reachable(input.windowsListeners, "runtime-api")
}

unknown contains {"resource": {"kind": "service", "key": x.svc.key}, "reason": lib.unclear(x.zone, x.reach)} if {
	some x in windows.unclear(input.windowsListeners, "runtime-api")
}

not_applicable := "nothing of the kind listens" if {
	count([1 | some svc in input.windowsListeners; svc.class == "runtime-api"]) == 0
}
