# METADATA
# title: A socket that commands the system is mounted into a workload
# description: >-
#   By the D-Bus system bus, the private socket of systemd or that of snapd, root in a container
#   starts units, installs packages and changes accounts of the host: the services behind them
#   ask who connects, and the answer is root.
# custom:
#   severity: high
#   reads: [runtimes, processes.power, agents]
#   remediation: >-
#     Remove the mount; where one service is needed, put a filter in front (xdg-dbus-proxy).
#   references:
#     nist: ["AC-6", "SC-39"]
#     attack: ["T1559", "T1543.002"]
#     cwe: ["CWE-668"]
package ringfence.runtime.system_bus_in_workload

import data.ringfence.lib

_sockets := {
	"/run/dbus/system_bus_socket": "the D-Bus system bus",
	"/run/systemd/private": "the private socket of systemd",
	"/run/snapd.socket": "the socket of snapd",
}

_ways := {
	"/run/dbus/system_bus_socket": {"/run/dbus/system_bus_socket", "/run/dbus"},
	"/run/systemd/private": {"/run/systemd/private", "/run/systemd"},
	"/run/snapd.socket": {"/run/snapd.socket"},
}

finding contains {
	"resource": {"kind": "mount", "key": sprintf("%s in container %s", [socket, lib.container(c)]), "path": socket},
	"message": sprintf("container %s has %s of the host%s", [lib.container(c), name, _as(c)]),
	"severity": _severity(c),
	"evidence": [sprintf("%s of the host is mounted at %s", [m.source, m.dest])],
	"remediation": [{"kind": "config", "text": sprintf("recreate container %s without the mount of %s", [lib.container(c), m.source])}],
} if {
	some c in input.containers
	_counts(c)
	some m in lib.list(c, "mounts")
	some socket, name in _sockets
	_leads(m, socket)
}

_leads(m, socket) if m.source in _ways[socket]

# What is mounted whole and writable is told of by kernel/host-path-writable-in-workload. That it is read-only keeps nobody from a socket in it.
_leads(m, socket) if {
	not m.rw
	m.source in {"/", "/run", "/var/run"}
	socket != "/run/snapd.socket" # few hosts have it
}

_counts(c) if not lib.own(c)

_counts(c) if c.running

_as(c) := ", and is root to it" if {
	lib.rooted(c, input.workloads)
} else := ", as what its user may do there"

_severity(c) := "high" if {
	lib.rooted(c, input.workloads)
} else := "low"

unknown contains {
	"resource": {"kind": "workload", "key": sprintf("container %s", [lib.container(c)])},
	"reason": sprintf("what of the host is mounted in it was not seen: %s", [_why(c)]),
} if {
	some c in input.containers
	_why(c)
}

_why(c) := c.unread if {
	not c.running
	object.get(c, "unread", "") != ""
} else := lib.blind(c)

not_applicable := "no container was found" if count(input.containers) == 0
