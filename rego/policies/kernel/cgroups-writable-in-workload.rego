# METADATA
# title: A workload can change control groups of others
# description: >-
#   A hierarchy of cgroups that begins above the container's own is mounted writable in it. It
#   can lift its own limits and, in version 1, its list of devices, freeze or kill others, and
#   name a release agent that the kernel starts on the host (CVE-2022-0492).
# custom:
#   severity: high
#   reads: [runtimes, processes.power, agents]
#   remediation: >-
#     Mount /sys/fs/cgroup read-only, or give the container a cgroup namespace of its own.
#   references:
#     nist: ["SC-39", "SC-4"]
#     attack: ["T1611"]
#     cwe: ["CWE-732"]
#     cve: ["CVE-2022-0492"]
package ringfence.kernel.cgroups_writable_in_workload

import data.ringfence.lib

finding contains {
	"resource": {"kind": "workload", "key": sprintf("container %s", [lib.container(c)])},
	"message": sprintf("container %s can write the control groups of the host at %s: %s", [lib.container(c), lib.join(sort(paths)), _consequence(files)]),
	"severity": _severity(files),
	"evidence": [sprintf("its mounts (/proc/PID/mountinfo of process %d): the hierarchy begins above its own cgroup and is not read-only", [c.pid])],
	"remediation": [{"kind": "config", "text": sprintf("recreate container %s %s", [lib.container(c), _other(c, paths)])}],
} if {
	some c in input.containers
	not c.privileged
	lib.rooted(c, input.workloads)
	not lib.labelled(c, input.workloads)
	files := [f | some f in lib.list(object.get(c, "kernelFiles", {}), "writable"); f.fs in {"cgroup", "cgroup2"}; object.get(f, "beyond", false)]
	paths := {lib.stable(f.path) | some f in files}
	count(paths) > 0
}

_v1(files) if {
	some f in files
	f.fs == "cgroup"
}

_consequence(files) := "it gives itself every device" if {
	_v1(files)
} else := "it lifts its limits, and freezes and kills others"

_severity(files) := "high" if {
	_v1(files)
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
} else := "with /sys/fs/cgroup read-only, or with a cgroup namespace of its own (--cgroupns private)"
