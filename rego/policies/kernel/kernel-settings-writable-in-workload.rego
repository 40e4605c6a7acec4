# METADATA
# title: A workload can change settings of the kernel
# description: >-
#   /proc/sys, /proc/sysrq-trigger or /sys is mounted writable in a container whose root is root
#   of the host. By kernel.core_pattern or kernel.modprobe the kernel then starts a program of
#   the container's choice as root of the host. How it is mounted is read from the kernel, not
#   from the specification.
# custom:
#   severity: high
#   reads: [runtimes, processes.power, agents]
#   remediation: >-
#     Recreate the container without systempaths=unconfined, unmask=ALL or a mount of /proc or
#     /sys; give it single settings by --sysctl.
#   references:
#     cis: ["Docker v1.6.0 5.6"]
#     nist: ["SC-39", "CM-7"]
#     attack: ["T1611"]
#     cwe: ["CWE-732"]
#     cve: ["CVE-2025-31133", "CVE-2025-52881"]
package ringfence.kernel.kernel_settings_writable_in_workload

import data.ringfence.lib

finding contains {
	"resource": {"kind": "workload", "key": sprintf("container %s", [lib.container(c)])},
	"message": sprintf("container %s can write %s: %s", [lib.container(c), lib.join(sort(paths)), _consequence(paths)]),
	"severity": _severity(paths),
	"evidence": [sprintf("its mounts (/proc/PID/mountinfo of process %d): %s not read-only", [c.pid, lib.join(sort(paths))])],
	"remediation": [{"kind": "config", "text": sprintf("recreate container %s %s", [lib.container(c), _other(c, paths)])}],
} if {
	some c in input.containers
	not c.privileged # which is told of as such
	lib.rooted(c, input.workloads)
	not lib.labelled(c, input.workloads)
	paths := {lib.stable(f.path) | some f in lib.list(object.get(c, "kernelFiles", {}), "writable"); f.fs in {"proc", "sysfs"}}
	count(paths) > 0
}

_settings(paths) if {
	some p in paths
	endswith(p, "/sys")
	p != "/sys"
}

_consequence(paths) := "by kernel.core_pattern it runs what it likes as root of the host" if {
	_settings(paths)
} else := "it changes devices of the host"

_severity(paths) := "high" if {
	_settings(paths)
} else := "medium"

unknown contains {
	"resource": {"kind": "workload", "key": sprintf("container %s", [lib.container(c)])},
	"reason": lib.blind(c),
} if {
	some c in input.containers
	lib.blind(c)
}

not_applicable := "no container was found" if count(input.containers) == 0

# One mount that brings all of them in is what to leave out.
_other(c, paths) := sprintf("without the mount of %s", [source]) if {
	sources := {lib.mount_of(c, p) | some p in paths}
	count(sources) == 1
	some source in sources
	source != ""
} else := "without systempaths=unconfined (Docker), unmask=ALL (Podman) or a mount of /proc or /sys"
