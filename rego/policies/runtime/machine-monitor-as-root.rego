# METADATA
# title: A machine monitor runs as root of the host
# description: >-
#   QEMU, Firecracker and their kin read what a guest writes. A flaw in one that runs as root, with
#   the files of the host before it, makes the guest root of the host. Firecracker has a jailer
#   for that; libvirt runs QEMU as a user of its own.
# custom:
#   severity: medium
#   reads: [processes.power, processes.programs, runtimes, agents]
#   remediation: >-
#     Start Firecracker by its jailer with a uid of its own, QEMU with -run-with user= (-runas) and
#     -sandbox on, or let libvirt start it.
#   references:
#     nist: ["SC-39", "AC-6"]
#     attack: ["T1611"]
#     cwe: ["CWE-250"]
package ringfence.runtime.machine_monitor_as_root

finding contains {
	"resource": {"kind": "workload", "key": p.key},
	"message": sprintf("%s runs as root with the files of the host: whoever breaks out of its guest is root", [p.monitor]),
	"severity": _severity(p),
	"evidence": [sprintf("%s: uid 0 in the initial user and mount namespaces, %s", [p.program, _filter(p)])],
	"remediation": [{"kind": "words", "text": _advice(p)}],
} if {
	some p in input.programs
	p.monitor != ""
	p.uid == 0
	p.hostUser
	p.hostMnt
}

_filter(p) := "no seccomp filter" if {
	p.seccomp == 0
} else := "with a seccomp filter"

_severity(p) := "high" if {
	p.seccomp == 0
} else := "medium"

_advice(p) := "start it by jailer --uid --gid --chroot-base-dir" if {
	p.monitor == "firecracker"
} else := "start it as a user of its own, with a seccomp filter (QEMU: -run-with user=, -sandbox on)"

not_applicable := "no machine monitor runs" if count([p | some p in input.programs; p.monitor != ""]) == 0
