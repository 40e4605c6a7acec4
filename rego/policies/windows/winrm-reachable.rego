# METADATA
# title: WinRM is reachable outside the management zone
# description: >-
#   A listener of WinRM takes connections from workloads or from outside. Rules for LocalSubnet on the public
#   profile are made into the networks of WSL and of connection sharing.
# custom:
#   severity: critical
#   reads: [windows.listeners, windows.adapters, windows.reach, windows.winrm]
#   remediation: >-
#     Limit the rules of Windows Remote Management to the addresses of those who manage, or stop the service WinRM.
#   references:
#     nist: ["AC-17(3)", "SC-7(5)"]
#     attack: ["T1021.006"]
#     cwe: ["CWE-668"]
package ringfence.windows.winrm_reachable

import data.ringfence.lib
import data.ringfence.lib.windows

finding contains {
	"resource": {"kind": "service", "key": x.svc.key},
	"message": sprintf("WinRM %s is reachable from the %s zone", [x.svc.key, x.zone]),
	"severity": windows.severity(x, "critical"),
	"zone": x.zone,
	"evidence": lib.evidence(x.reach),
	"witness": x.reach.witness,
	"remediation": windows.close(x.zone, x.svc),
} if {
	some x in windows.reachable(input.windowsListeners, "winrm")
}

unknown contains {"resource": {"kind": "service", "key": x.svc.key}, "reason": lib.unclear(x.zone, x.reach)} if {
	some x in windows.unclear(input.windowsListeners, "winrm")
}

not_applicable := _nothing if not _some

_some if {
	some svc in input.windowsListeners
	svc.class == "winrm"
}

_nothing := "WinRM has listeners, and none of their ports is open" if count(input.windowsWinRM.listeners) > 0

else := "nothing of the kind listens"
