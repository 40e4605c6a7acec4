# METADATA
# title: Shared memory crosses a zone border
# description: >-
#   A shared memory segment is mapped by processes of two zones, or is open to everybody in an
#   ipc namespace that a workload shares. Memory that both sides write is a channel that no
#   filter sees, and a hostile writer chooses what the other side reads.
# custom:
#   severity: high
#   reads: [processes.memory, processes.power, runtimes, agents]
#   remediation: >-
#     Give workloads an ipc namespace and a /dev/shm of their own, and create segments with mode
#     0600.
#   references:
#     cis: ["Docker v1.6.0 5.17"]
#     nist: ["SC-4"]
#     attack: ["T1559"]
#     cwe: ["CWE-668"]
package ringfence.kernel.shared_memory_across_zones

finding contains {
	"resource": {"kind": "memory", "key": m.kind},
	"message": sprintf("%s is mapped by processes of the zones %s", [m.key, concat(", ", m.zones)]),
	"evidence": [sprintf("%s mode %s, mapped by %s", [m.key, m.mode, concat(", ", m.holders)])],
	"remediation": [{"kind": "config", "text": "run the workload with an ipc namespace of its own (--ipc=private)"}],
} if {
	some m in input.sharedMemory
	count(m.zones) > 1
	"workload" in m.zones
}

finding contains {
	"resource": {"kind": "memory", "key": m.kind},
	"message": sprintf("%s is open to %s", [m.key, concat(", ", m.workloads)]),
	"evidence": [sprintf("%s mode %s in an ipc namespace that workloads share", [m.key, m.mode])],
	"remediation": [{"kind": "config", "text": "create the segment with mode 0600, or run the workload with an ipc namespace of its own"}],
} if {
	some m in input.sharedMemory
	m.world
	count(m.workloads) > 0
}
