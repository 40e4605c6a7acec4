# METADATA
# title: Files that runtimes hide from workloads are seen
# description: >-
#   Runtimes hide files of /proc and /sys that show memory, keys, timers and firmware of the host
#   to everybody's containers. A container without that protection reads them; /proc/kcore is
#   the memory of the kernel to those who may read it.
# custom:
#   severity: medium
#   reads: [runtimes]
#   remediation: >-
#     Recreate the container without systempaths=unconfined or unmask=ALL.
#   references:
#     nist: ["SC-39", "CM-7"]
#     attack: ["T1611", "T1082"]
#     cwe: ["CWE-693"]
#     cve: ["CVE-2025-31133"]
package ringfence.kernel.masked_paths_missing

import data.ringfence.lib

finding contains {
	"resource": {"kind": "workload", "key": sprintf("container %s", [lib.container(c)])},
	"message": sprintf("container %s sees %s, which its runtime hides from others", [lib.container(c), lib.join(files)]),
	"evidence": ["nothing is mounted over them (/proc/PID/mountinfo of its first process)"],
	"remediation": [{"kind": "config", "text": sprintf("recreate container %s without systempaths=unconfined (Docker) or unmask=ALL (Podman)", [lib.container(c)])}],
} if {
	some c in input.containers
	not c.privileged
	not c.userNS
	object.get(c, "unread", "") == "" # those without a specification have runtimes that hide nothing
	files := lib.list(object.get(c, "kernelFiles", {}), "unmasked")
	count(files) > 1
}

unknown contains {
	"resource": {"kind": "workload", "key": sprintf("container %s", [lib.container(c)])},
	"reason": lib.blind(c),
} if {
	some c in input.containers
	lib.blind(c)
}

not_applicable := "no container was found" if count(input.containers) == 0
