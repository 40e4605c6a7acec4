# METADATA
# title: A runtime control socket is open to more than its group
# description: >-
#   Who can write the control socket of a container runtime is root on the host: it can start a
#   container with the host in it. The socket belongs to root and one group. A socket that
#   leaves the decision to polkit (libvirt) is no finding.
# custom:
#   severity: high
#   reads: [runtimes, processes.power, processes.groups]
#   params:
#     socketGroups: {type: strings, default: [], description: "Groups that may own the socket of a runtime."}
#   remediation: >-
#     Set SocketMode=0660 and the group in the socket unit, so that it survives a restart.
#   references:
#     cis: ["Docker v1.6.0 3.15", "Docker v1.6.0 3.16"]
#     nist: ["AC-6", "AC-3"]
#     attack: ["T1611"]
#     cwe: ["CWE-732"]
package ringfence.runtime.socket_accessible_to_others

import data.ringfence.lib

finding contains {
	"resource": {"kind": "socket", "key": s.path, "path": s.path},
	"message": sprintf("everybody on the host can write %s and so become %s", [s.path, _becomes(s)]),
	"severity": _severity(s),
	"evidence": [sprintf("%s mode %s uid %d group %s", [s.path, s.mode, s.uid, s.group])],
	"steps": ["any user", s.path, sprintf("%s API", [s.runtime]), s.gives],
	"remediation": [_fix(s)],
} if {
	some s in input.runtimeSockets
	s.container == ""
	not s.gated
	not s.closed
	s.gives != ""
	s.othersWrite
}

finding contains {
	"resource": {"kind": "socket", "key": s.path, "path": s.path},
	"message": sprintf("%s belongs to uid %d, who controls the runtime with it", [s.path, s.uid]),
	"severity": "high",
	"evidence": [sprintf("%s mode %s uid %d group %s", [s.path, s.mode, s.uid, s.group])],
	"remediation": [_fix(s)],
} if {
	some s in input.runtimeSockets
	s.container == ""
	not s.gated
	s.gives != ""
	s.uid != 0
	not s.privateToUser
}

_allowed := {"root", "0", "docker", "podman", "containerd", "libvirt", "lxd", "incus", "incus-admin"} | {g | some g in object.get(data.params, "socketGroups", [])}

finding contains {
	"resource": {"kind": "socket", "key": s.path, "path": s.path},
	"message": sprintf("group %s can write %s and so become %s", [s.group, s.path, _becomes(s)]),
	"severity": "high",
	"evidence": [sprintf("%s mode %s uid %d group %s", [s.path, s.mode, s.uid, s.group])],
	"remediation": [_fix(s)],
} if {
	some s in input.runtimeSockets
	s.container == ""
	not s.gated
	not s.closed
	s.gives != ""
	s.groupWrite
	not s.privateToUser
	not s.group in _allowed
}

# Who an access control list names does not show in the mode.
finding contains {
	"resource": {"kind": "socket", "key": s.path, "path": s.path},
	"message": sprintf("%s can write %s by its access control list, and so become %s", [concat(", ", writers), s.path, _becomes(s)]),
	"severity": "high",
	"evidence": [sprintf("%s mode %s, access control list: %s", [s.path, s.mode, concat(", ", writers)])],
	"remediation": [{"kind": "command", "text": sprintf("setfacl -b %s", [lib.quoted(s.path)])}],
} if {
	some s in input.runtimeSockets
	s.container == ""
	not s.gated
	not s.closed
	s.gives != ""
	not s.privateToUser
	writers := [w | some w in s.writers; not trim_prefix(w, "group ") in _allowed]
	count(writers) > 0
}

unknown contains {
	"resource": {"kind": "socket", "key": s.path},
	"reason": "more than one user decides what is at the path, or who does is not known",
} if {
	some s in input.runtimeSockets
	s.container == ""
	not s.gated
	s.gives == ""
}

_becomes(s) := "root" if {
	s.gives == "root on the host"
} else := s.gives

# What a user keeps in a directory of its own gives no more than that user, whatever it is called.
_severity(s) := "critical" if {
	s.gives == "root on the host"
} else := "high"

# A socket that a daemon makes itself has no unit.
_fix(s) := {"kind": "words", "text": sprintf("chmod o-rwx %s; the daemon makes it with its group (--group), and for nobody else", [lib.quoted(s.path)])} if {
	not startswith(s.path, "/run/")
	not startswith(s.path, "/var/")
} else := {"kind": "systemd", "text": sprintf("in the socket unit of %s: SocketMode=0660, SocketUser=root; until its restart: chmod 660 %s", [s.runtime, lib.quoted(s.path)])}

not_applicable := "no runtime has a control socket here" if count(input.runtimeSockets) == 0
