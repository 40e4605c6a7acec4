# METADATA
# title: A forwarded port is reachable outside the management zone
# description: >-
#   A port of netsh interface portproxy takes connections from workloads or from outside and passes them on: what is
#   behind it sees the host as who connects.
# custom:
#   severity: high
#   reads: [windows.listeners, windows.adapters, windows.reach, windows.portproxy]
#   remediation: >-
#     Take the forwarding out (netsh interface portproxy delete), or listen on an address that only its users reach.
#   references:
#     nist: ["AC-17(3)", "SC-7(5)"]
#     attack: ["T1090"]
#     cwe: ["CWE-668"]
package ringfence.windows.portproxy_reachable

import data.ringfence.lib
import data.ringfence.lib.windows

finding contains {
	"resource": {"kind": "service", "key": x.svc.key},
	"message": sprintf("the port %s passes connections from the %s zone on to %s", [x.svc.key, x.zone, x.svc.to]),
	"severity": windows.severity(x, "high"),
	"zone": x.zone,
	"evidence": lib.evidence(x.reach),
	"witness": x.reach.witness,
	"remediation": windows.close(x.zone, x.svc),
} if {
	some x in windows.reachable(input.windowsListeners, "relay")
}

unknown contains {"resource": {"kind": "service", "key": x.svc.key}, "reason": lib.unclear(x.zone, x.reach)} if {
	some x in windows.unclear(input.windowsListeners, "relay")
}

not_applicable := _nothing if not _some

_some if {
	some svc in input.windowsListeners
	svc.class == "relay"
}

_nothing := "ports are forwarded, and none of them listens" if count(input.windowsRelays) > 0

else := "nothing of the kind listens"
