# METADATA
# title: A browser can be driven by every program of the host
# description: >-
#   The debugging port of a browser asks nobody who they are. Every process that reaches it, on
#   loopback every user of the host and what an agent starts, reads the pages, cookies and
#   passwords of the browser's user and acts in their sessions. What reaches it from elsewhere is
#   told of by agent/unauthenticated-runtime-reachable.
# custom:
#   severity: medium
#   reads: [agents, processes.power, listeners.ip, listeners.namespaces]
#   remediation: >-
#     Start the browser with --remote-debugging-pipe, or in a network namespace of its own.
#   references:
#     nist: ["AC-3", "SC-7"]
#     attack: ["T1185", "T1539"]
#     cwe: ["CWE-749", "CWE-306"]
package ringfence.agent.browser_debugging_port

import data.ringfence.lib

finding contains {
	"resource": {"kind": "agent", "key": sprintf("%s %s", [l.agent, lib.stable(l.key)])},
	"message": sprintf("whoever reaches %s drives the browser and reads its sessions", [l.key]),
	"severity": _severity(l),
	"evidence": array.concat([sprintf("%s: %s", [l.title, l.evidence])], lib.list(l, "evidences")),
	"remediation": [{"kind": "words", "text": "start the browser with --remote-debugging-pipe instead of --remote-debugging-port"}],
} if {
	some l in input.agentListeners
	l.kind == "browser"
	l.unclear == ""
	l.evidence != ""
}

_severity(l) := "low" if {
	l.inside # in a container of its own
} else := "medium"

unknown contains {"resource": {"kind": "agent", "key": sprintf("%s %s", [l.agent, lib.stable(l.key)])}, "reason": l.unclear} if {
	some l in input.agentListeners
	l.kind == "browser"
	l.unclear != ""
}

not_applicable := "no browser with a debugging port runs" if {
	count([l | some l in input.agentListeners; l.kind == "browser"]) == 0
}
