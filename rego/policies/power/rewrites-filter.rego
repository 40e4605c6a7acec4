# METADATA
# title: Somebody who is not root rewrites the packet filter
# description: >-
#   A container, an agent, a service of a user or an account that is not root can change what loads
#   the packet filter of the host, or has CAP_NET_ADMIN over its network. Who becomes root is told of
#   by power/becomes-root.
# custom:
#   severity: high
#   reads: [powers, processes.power, processes.groups, runtimes, agents, listeners.ip, listeners.namespaces, network, nftables]
#   remediation: >-
#     Make one of the changes that end the way; ringfence paths shows every step of it.
#   references:
#     nist: ["AC-6"]
#     attack: ["T1686"]
#     cwe: ["CWE-732"]
package ringfence.power.rewrites_filter

import data.ringfence.lib.paths

finding contains {
	"resource": {"kind": "principal", "key": p.key},
	"message": sprintf("%s rewrites the packet filter of the host%s", [p.name, paths.when(p)]),
	"severity": paths.severity(p),
	"evidence": paths.evidence(p),
	"remediation": paths.remediation(p),
	"follows": paths.follows(p, input.services, input.runtimeSockets, input.containers),
	"beside": paths.beside(p, input.services, input.runtimeSockets, input.containers),
} if {
	some p in paths.told(input.paths, "filter")
}

unknown contains {
	"resource": {"kind": "principal", "key": p.key},
	"reason": concat("; ", p.because),
} if {
	some p in paths.open(input.paths, "filter")
}

not_applicable := "nobody but root is on the host" if count(input.paths) == 0
