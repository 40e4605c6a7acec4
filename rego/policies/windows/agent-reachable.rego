# METADATA
# title: An agent is reachable over the network
# description: >-
#   The gateway of an agent takes connections from workloads or from outside.
# custom:
#   severity: high
#   reads: [windows.listeners, windows.adapters, windows.reach, windows.agents]
#   remediation: >-
#     Bind the gateway to loopback.
#   references:
#     nist: ["AC-17(3)", "SC-7(5)"]
#     attack: ["T1190"]
#     cwe: ["CWE-668"]
package ringfence.windows.agent_reachable

import data.ringfence.lib
import data.ringfence.lib.windows

finding contains {
	"resource": {"kind": "service", "key": x.svc.key},
	"message": sprintf("the agent %s is reachable from the %s zone", [x.svc.key, x.zone]),
	"severity": windows.severity(x, "high"),
	"zone": x.zone,
	"evidence": lib.evidence(x.reach),
	"witness": x.reach.witness,
	"remediation": windows.close(x.zone, x.svc),
} if {
	some x in windows.reachable(input.windowsListeners, "agent")
}

unknown contains {"resource": {"kind": "service", "key": x.svc.key}, "reason": lib.unclear(x.zone, x.reach)} if {
	some x in windows.unclear(input.windowsListeners, "agent")
}

not_applicable := _nothing if not _some

_some if {
	some svc in input.windowsListeners
	svc.class == "agent"
}

_nothing := "there are agents, and none of them listens" if count(input.windowsAgents) > 0

else := "nothing of the kind listens"
