# METADATA
# title: Somebody who is not root reads secrets of the host
# description: >-
#   A container, an agent, a service of a user or an account that is not root can read the hashes of
#   passwords, or private keys of the host or of root. Who becomes root is told of by
#   power/becomes-root.
# custom:
#   severity: high
#   reads: [powers, processes.power, processes.groups, runtimes, agents, listeners.ip, listeners.namespaces, network, nftables]
#   remediation: >-
#     Make one of the changes that end the way; ringfence paths shows every step of it.
#   references:
#     nist: ["AC-6"]
#     attack: ["T1003.008", "T1552.004"]
#     cwe: ["CWE-732"]
package ringfence.power.reads_secrets

import data.ringfence.lib.paths

finding contains {
	"resource": {"kind": "principal", "key": p.key},
	"message": sprintf("%s reads passwords or private keys of the host%s", [p.name, paths.when(p)]),
	"severity": paths.severity(p),
	"evidence": paths.evidence(p),
	"remediation": paths.remediation(p),
	"follows": paths.follows(p, input.services, input.runtimeSockets, input.containers),
	"beside": paths.beside(p, input.services, input.runtimeSockets, input.containers),
} if {
	some p in paths.told(input.paths, "secret")
}

unknown contains {
	"resource": {"kind": "principal", "key": p.key},
	"reason": concat("; ", p.because),
} if {
	some p in paths.open(input.paths, "secret")
}

not_applicable := "nobody but root is on the host" if count(input.paths) == 0
