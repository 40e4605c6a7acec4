# METADATA
# title: A program listens for a debugger
# description: >-
#   A program was started so that a debugger can connect: Node with --inspect, Java with JDWP,
#   debugpy, Delve, gdbserver, the monitor of QEMU by TCP, whose migrate starts programs of the host.
#   Who connects runs any code as that program, and nobody is asked who they are. On loopback that
#   is every process of the host. By the gdb stub of QEMU it is code in the guest.
# custom:
#   severity: high
#   reads: [management, listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Take the option away; where it is needed, use a pipe or a socket file, and only while
#     somebody debugs.
#   references:
#     nist: ["CM-7"]
#     attack: ["T1059", "T1190"]
#     cwe: ["CWE-489", "CWE-306"]
package ringfence.management.debugger_listens

import data.ringfence.lib

_open := lib.managed_open(input.managed, "debug")

finding contains {
	"resource": {"kind": "service", "key": o.service.key},
	"message": sprintf("who reaches %s from the %s zone runs any code by %s", [o.service.key, o.zone, o.server.key]),
	"severity": _severity(o.server, o.service),
	"zone": o.zone,
	"evidence": array.concat([o.server.evidence], lib.evidence(o.reach)),
	"witness": o.reach.witness,
	"remediation": lib.close(o.zone, o.service),
} if {
	some o in _open
}

# The gdb stub of QEMU is of its guest.
_severity(m, svc) := "medium" if {
	lib.lesser(svc)
} else := "high" if {
	m.name == "gdb stub of QEMU"
} else := "critical"

finding contains {
	"resource": {"kind": "service", "key": svc.key},
	"message": sprintf("every process that reaches %s runs any code by %s", [svc.key, m.key]),
	"severity": _local(m),
	"evidence": [m.evidence],
	"remediation": [{"kind": "words", "text": "start the program without the option that has it listen for a debugger"}],
} if {
	some m in input.managed
	m.role == "debug"
	some svc in m.services
	not svc.key in {o.service.key | some o in _open}
}

_local(m) := "medium" if m.host

else := "low"

unknown := lib.managed_unclear(input.managed, "debug")
