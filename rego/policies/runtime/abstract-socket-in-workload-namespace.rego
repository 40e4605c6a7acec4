# METADATA
# title: An abstract socket of a runtime is in the network namespace of a workload
# description: >-
#   Abstract unix sockets have no file and no permissions: every process of the network
#   namespace can connect. A workload that shares the host network namespace reaches those of
#   the container runtime (CVE-2020-15257), of sandboxes and of D-Bus.
# custom:
#   severity: high
#   reads: [listeners.unix, processes.power, runtimes, agents]
#   remediation: >-
#     Give the workload a network namespace of its own, and update the runtime.
#   references:
#     nist: ["SC-7", "SC-39"]
#     attack: ["T1611", "T1559"]
#     cwe: ["CWE-668"]
#     cve: ["CVE-2020-15257"]
package ringfence.runtime.abstract_socket_in_workload_namespace

import data.ringfence.lib

finding contains {
	"resource": {"kind": "socket", "key": lib.stable(s.name)},
	"message": sprintf("%s can connect to the abstract socket %s of %s", [concat(", ", s.workloads), s.name, s.runtime]),
	"evidence": [sprintf("%s, held by %s, is in the host network namespace", [s.name, s.owner])],
	"remediation": [{"kind": "config", "text": "run the workload without the host network"}],
} if {
	some s in input.abstractSockets
	s.runtime != ""
}
