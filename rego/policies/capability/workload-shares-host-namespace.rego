# METADATA
# title: A container shares a namespace of the host
# description: >-
#   A container in the pid, network or ipc namespace of the host sees the processes, sockets or
#   shared memory of the host and of every other workload there.
# custom:
#   severity: high
#   reads: [processes.power, runtimes, agents]
#   remediation: >-
#     Recreate the container without --pid=host, --network=host or --ipc=host.
#   references:
#     cis: ["Docker v1.6.0 5.10", "Docker v1.6.0 5.16", "Docker v1.6.0 5.17"]
#     nist: ["SC-39", "SC-7(21)"]
#     attack: ["T1611"]
#     cwe: ["CWE-653"]
package ringfence.capability.workload_shares_host_namespace

finding contains {
	"resource": {"kind": "workload", "key": w.key},
	"message": sprintf("%s shares the %s namespace of the host", [w.name, concat(", ", shared)]),
	"severity": _severity(shared),
	"evidence": [sprintf("%s (%s): namespace inodes are those of process 1", [w.name, w.process])],
	"remediation": [{"kind": "config", "text": sprintf("recreate %s with namespaces of its own", [w.name])}],
} if {
	some w in input.workloads
	w.container != ""
	shared := _shared(w)
	count(shared) > 0
}

not_applicable := "no workload runs" if count(input.workloads) == 0

_shared(w) := [n |
	some n in ["network", "pid", "ipc", "uts"]
	w[_field[n]]
]

_field := {"network": "hostNet", "pid": "hostPID", "ipc": "hostIPC", "uts": "hostUTS"}

_severity(shared) := "low" if {
	shared == ["uts"]
} else := "high"
