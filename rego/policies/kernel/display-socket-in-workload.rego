# METADATA
# title: A workload has the display of a user
# description: >-
#   Who connects to an X server reads every key that is typed and types into every window. Its
#   socket is a file below /tmp/.X11-unix and an abstract one, which every process of the network
#   namespace reaches. Wayland and PulseAudio sockets give windows, the clipboard and the
#   microphone.
# custom:
#   severity: medium
#   reads: [runtimes, processes.power, agents, listeners.unix]
#   remediation: >-
#     Remove the mount and give the workload a display of its own (Xvfb), and a network namespace
#     of its own; start X with -nolisten local.
#   references:
#     nist: ["SC-7", "SC-39"]
#     attack: ["T1056.001", "T1113"]
#     cwe: ["CWE-668"]
package ringfence.kernel.display_socket_in_workload

import data.ringfence.lib

finding contains {
	"resource": {"kind": "mount", "key": sprintf("%s in container %s", [m.source, lib.container(c)]), "path": m.source},
	"message": sprintf("container %s has %s", [lib.container(c), what]),
	"evidence": [sprintf("%s of the host is mounted at %s", [m.source, m.dest])],
	"remediation": [{"kind": "config", "text": sprintf("recreate container %s without the mount of %s", [lib.container(c), m.source])}],
} if {
	some c in input.containers
	c.running
	some m in lib.list(c, "mounts")
	what := _what(m.source)
}

_what(p) := "the X server: it reads what is typed and types itself" if lib.below(p, "/tmp/.X11-unix")

else := "the Wayland compositor of a user" if {
	regex.match(`^/run/user/[0-9]+/wayland-[0-9]+$`, p)
} else := "the sound of a user, and the microphone" if {
	regex.match(`^/run/user/[0-9]+/(pulse(/native)?|pipewire-[0-9]+)$`, p)
} else := "the runtime directory of a user, with display, sound and agents" if {
	regex.match(`^/run/user/[0-9]+$`, p)
}

finding contains {
	"resource": {"kind": "socket", "key": lib.stable(s.name)},
	"message": sprintf("%s can connect to the X server at %s: what is typed can be read", [lib.join(s.workloads), s.name]),
	"evidence": [sprintf("the abstract socket %s, held by %s, is in the host network namespace", [s.name, s.owner])],
	"remediation": [{"kind": "config", "text": "run the workload without the host network, or start X with -nolisten local"}],
} if {
	some s in input.abstractSockets
	startswith(s.name, "@/tmp/.X11-unix/")
}

unknown contains {
	"resource": {"kind": "workload", "key": sprintf("container %s", [lib.container(c)])},
	"reason": sprintf("what of the host is mounted in it was not seen: %s", [lib.blind(c)]),
} if {
	some c in input.containers
	lib.blind(c)
}

not_applicable := "no workload runs" if count(input.containers) + count(input.workloads) == 0
