# METADATA
# title: A remote desktop is reachable
# description: >-
#   A server of VNC, RDP, X11 or their kind is reachable from outside or from workloads. Many ask
#   for a short password or none, and what is on the screen is a session that is logged in. One that
#   was told to ask for nothing (TigerVNC, x11vnc, an X server with -ac) is critical.
# custom:
#   severity: high
#   reads: [management, listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Bind it to loopback and come in by an SSH tunnel or VPN; drop the port from the zone.
#   references:
#     nist: ["AC-17", "SC-7(5)"]
#     attack: ["T1021.001", "T1021.005"]
#     cwe: ["CWE-668", "CWE-306"]
package ringfence.management.remote_desktop_reachable

import data.ringfence.lib

finding contains {
	"resource": {"kind": "service", "key": o.service.key},
	"message": sprintf("the remote desktop %s (%s) is reachable from the %s zone%s", [o.server.key, o.service.key, o.zone, _asks(o.server)]),
	"severity": _severity(o),
	"zone": o.zone,
	"evidence": array.concat([o.server.evidence], lib.evidence(o.reach)),
	"witness": o.reach.witness,
	"remediation": lib.close(o.zone, o.service),
} if {
	some o in lib.managed_open(input.managed, "desktop")
}

_login(m) := object.get(m.settings, ["login", "value"], "")

_asks(m) := ", and asks for no password" if _login(m) == "none"

else := ""

# What a container or an account has gives no more than that.
_severity(o) := "medium" if {
	lib.lesser(o.service)
} else := "critical" if {
	_login(o.server) == "none"
} else := "high"

unknown := lib.managed_unclear(input.managed, "desktop")
