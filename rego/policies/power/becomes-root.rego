# METADATA
# title: Somebody becomes root of the host
# description: >-
#   A container, an agent, a service of a user or an account gets to root of the host: by files that
#   root runs or reads, rules of sudo, set-id programs and file capabilities in the directories of
#   packages, control sockets, interfaces of runtimes on the network, mounts, devices, capabilities, or
#   processes that it sees. What a program of root reads besides is not followed.
# custom:
#   severity: high
#   reads: [powers, processes.power, processes.groups, runtimes, agents, listeners.ip, listeners.namespaces, network, nftables]
#   remediation: >-
#     Make one of the changes that end the way; ringfence paths shows every step of it.
#   references:
#     nist: ["AC-6"]
#     attack: ["T1548", "T1611"]
#     cwe: ["CWE-269", "CWE-732"]
package ringfence.power.becomes_root

import data.ringfence.lib.paths

finding contains {
	"resource": {"kind": "principal", "key": p.key},
	"message": sprintf("%s becomes root of the host%s", [p.name, paths.when(p)]),
	"severity": paths.severity(p),
	"evidence": paths.evidence(p),
	"remediation": paths.remediation(p),
	"follows": paths.follows(p, input.services, input.runtimeSockets, input.containers),
	"beside": paths.beside(p, input.services, input.runtimeSockets, input.containers),
} if {
	some p in paths.told(input.paths, "root")
}

unknown contains {
	"resource": {"kind": "principal", "key": p.key},
	"reason": concat("; ", p.because),
} if {
	some p in paths.open(input.paths, "root")
}

not_applicable := "nobody but root is on the host" if count(input.paths) == 0
