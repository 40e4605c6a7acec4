# METADATA
# title: A shell is served to who connects
# description: >-
#   ttyd, GoTTY, Shell In A Box or WeTTY gives a shell to who opens its page. Some ask for nothing
#   by themselves; on loopback every process of the host, and every page in a browser on it, is one
#   step away then. So does socat or netcat that starts a shell. Those that run login or ssh, or ask for a password, are high.
# custom:
#   severity: critical
#   reads: [management, listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Stop it and use SSH; else put a login in front, and bind it to loopback.
#   references:
#     nist: ["AC-17", "CM-7"]
#     attack: ["T1133", "T1059.004"]
#     cwe: ["CWE-306", "CWE-749"]
package ringfence.management.web_shell

import data.ringfence.lib

_open := lib.managed_open(input.managed, "shell")

finding contains {
	"resource": {"kind": "service", "key": o.service.key},
	"message": sprintf("%s gives %s to who opens %s from the %s zone", [o.server.key, _what(o.server), o.service.key, o.zone]),
	"severity": _severity(o.server, o.service),
	"zone": o.zone,
	"evidence": array.concat([o.server.evidence], lib.evidence(o.reach)),
	"witness": o.reach.witness,
	"remediation": lib.close(o.zone, o.service),
} if {
	some o in _open
}

_login(m) := object.get(m.settings, ["login", "value"], "")

_what(m) := "a page to log in by" if {
	_login(m) == "asks"
} else := "a look at a terminal" if {
	_login(m) == "shows"
} else := "a shell"

_severity(m, svc) := "medium" if {
	lib.lesser(svc)
} else := "high" if {
	_login(m) in {"asks", "shows"}
} else := "high" if {
	object.get(m.settings, ["login", "state"], "present") != "present" # what it asks is not known
} else := "critical"

finding contains {
	"resource": {"kind": "service", "key": svc.key},
	"message": sprintf("%s gives a shell to every process that reaches %s", [m.key, svc.key]),
	"severity": "medium",
	"evidence": [m.evidence],
	"remediation": [{"kind": "words", "text": "stop it, or put a login in front (ttyd -c USER:PASSWORD, a proxy)"}],
} if {
	some m in input.managed
	m.role == "shell"
	not _login(m) in {"asks", "shows"}
	some svc in m.services
	not svc.key in {o.service.key | some o in _open}
}

unknown := lib.managed_unclear(input.managed, "shell")
