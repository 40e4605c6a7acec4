# METADATA
# title: A workload has CAP_NET_ADMIN over the host network
# description: >-
#   A process of a container, sandbox or agent has CAP_NET_ADMIN in the user namespace that owns
#   the network namespace of the host, and is in that namespace. It can flush the packet filter,
#   change routes and listen to everything. In a user namespace of its own the same bit means
#   nothing here, and is no finding.
# custom:
#   severity: critical
#   reads: [processes.power, runtimes, agents]
#   remediation: >-
#     Drop the capability, or give the workload a network namespace of its own.
#   references:
#     cis: ["Docker v1.6.0 5.4", "Docker v1.6.0 5.10"]
#     nist: ["AC-6"]
#     attack: ["T1686", "T1557"]
#     cwe: ["CWE-250"]
package ringfence.capability.net_admin_over_host_network

finding contains {
	"resource": {"kind": "workload", "key": w.key},
	"message": sprintf("%s can rewrite the packet filter of the host", [_who(w)]),
	"severity": _severity(w),
	"evidence": [sprintf("%s (%s): has %s, network namespace of the host", [w.name, w.process, w.capText])],
	"remediation": [{"kind": "config", "text": sprintf("run %s without NET_ADMIN or without the host network", [w.name])}],
} if {
	some w in input.workloads
	w.netAdminOverHost
}

# Of a workload whose system calls end in a kernel of its own, the capabilities are that kernel's.
_who(w) := sprintf("whoever breaks out of %s in %s", [w.kernel, w.name]) if {
	w.kernel != ""
} else := w.name

_severity(w) := "medium" if {
	w.kernel != ""
} else := "critical"

not_applicable := "no workload runs" if count(input.workloads) == 0
