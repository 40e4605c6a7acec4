# METADATA
# title: A runtime control socket is mounted into a workload
# description: >-
#   A container or sandbox sees the control socket of the runtime that holds it. With it the
#   workload starts a container with the whole host in it; nothing about its own confinement
#   matters any more.
# custom:
#   severity: critical
#   reads: [runtimes, processes.power, processes.groups]
#   remediation: >-
#     Remove the mount. Where the workload must start containers, give it a rootless runtime of
#     its own or a proxy that allows single calls.
#   references:
#     cis: ["Docker v1.6.0 5.32"]
#     nist: ["AC-6", "SC-39"]
#     attack: ["T1611", "T1609"]
#     cwe: ["CWE-250"]
package ringfence.runtime.socket_mounted_in_workload

import data.ringfence.lib

finding contains {
	"resource": {"kind": "mount", "key": sprintf("%s in %s", [s.path, m.workload]), "path": s.path},
	"message": sprintf("%s holds %s and with it %s", [m.workload, s.path, s.gives]),
	"severity": _severity(s),
	"evidence": [_evidence(s, m)],
	"steps": [m.workload, m.path, sprintf("%s API", [s.runtime]), s.gives],
	"remediation": [{"kind": "config", "text": sprintf("recreate %s without the mount of %s", [m.workload, _mount(s, m)])}],
} if {
	some s in input.runtimeSockets
	some m in s.mountedIn
	s.gives != ""
}

unknown contains {
	"resource": {"kind": "mount", "key": sprintf("%s in %s", [s.path, m.workload])},
	"reason": "more than one user decides what is at the path, or who does is not known",
} if {
	some s in input.runtimeSockets
	some m in s.mountedIn
	s.gives == ""
}

_severity(s) := "critical" if {
	s.gives == "root on the host"
} else := "high"

_evidence(s, m) := sprintf("%s is the same file as %s of the host (device and inode)", [m.path, s.path]) if not m.named

_evidence(s, m) := sprintf("its specification mounts %s at %s", [s.path, m.path]) if m.named

# A mount of a directory brings in what is below it.
_mount(s, m) := sources[0] if {
	sources := [source | # of each container of the name
		some c in input.containers
		m.workload == sprintf("container %s", [lib.container(c)])
		source := lib.mount_of(c, m.path)
		source != ""
		lib.below(s.path, trim_suffix(source, "/"))
	]
	count(sources) > 0
} else := s.path
