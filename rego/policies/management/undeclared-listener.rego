# METADATA
# title: Something listens that nobody declared
# description: >-
#   A port is reachable from outside or from workloads, and it is none of the services that other
#   checks are about. Every such port is a program with bugs of its own. The parameter expected of
#   the configuration names those that are meant: "tcp/443", "udp/53", or with the program that has
#   it, "tcp/443/nginx". Where it names any, whatever else is reachable from outside is medium;
#   without it each is low, a list to go through. Ports that programs get for answers (UDP from
#   32768 on, DHCP clients) are left out.
# custom:
#   severity: low
#   reads: [management, listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   params:
#     expected: {type: strings, default: [], description: "What may listen: tcp/443, or with its program tcp/443/nginx."}
#   remediation: >-
#     Stop the service, bind it to the address that needs it, or drop the port from the zone; else
#     declare it under params.expected.
#   references:
#     cis: ["Debian 12 v1.1.0 2.1.22"]
#     nist: ["CM-7", "CM-8", "SC-7(5)"]
#     attack: ["T1133"]
#     cwe: ["CWE-1327"]
package ringfence.management.undeclared_listener

import data.ringfence.lib

_expected := object.get(data.params, "expected", [])

_zones := {"external", "workload"}

# What is not asked about, by its key: what is declared, what others tell of, and what a program sends from and waits for answers at. A socket
# of UDP that is not connected looks like a service.
_left contains svc.key if {
	count(_expected) > 0
	some svc in input.services
	some e in _expected
	e in {sprintf("%s/%d", [svc.proto, svc.port]), sprintf("%s/%d/%s", [svc.proto, svc.port, svc.owner])}
}

_left contains svc.key if {
	some svc in input.services
	svc.proto == "udp"
	_answers(svc.port)
}

_answers(port) if port >= 32768

_answers(port) if port in {68, 546}

# What other checks tell of by its role is told once.
_left contains svc.key if {
	some m in input.managed
	_tells(m)
	some svc in m.services
}

_tells(m) if m.role in {"desktop", "console", "shell", "debug"}

_tells(m) if {
	m.role == "cleartext"
	not m.settings.login
}

# A server of data or of FTP, if it lets everybody in or takes logins that are not encrypted.
_tells(m) if {
	m.role in {"data", "cleartext"}
	m.settings.login.value in {"none", "addresses"}
}

_tells(m) if {
	m.role == "cleartext"
	m.settings.how.value == "logins of accounts without TLS"
}

# Here and below each step is taken for every socket: what is the same for all of them stands outside.
_asked := [svc |
	some svc in input.services
	svc.class == "other"
	svc.namespace == ""
	not svc.loopback
	not svc.key in _left
]

# Beside a list each socket is one to declare or to close. Without one they are told by their programs: one that is known by its name listens at
# several ports and addresses, and nobody looks at each. The program is what the finding is about, however many there are: a port less is no other finding.
# What a process calls itself is its own word: those of a user or a container are told apart from root's of that name, and what nobody is seen to have
# is told by itself.
_open := [{"zone": zone, "name": svc.key, "service": svc} |
	some svc in _asked
	some zone in _zones
	reach := svc.reach[zone]
	reach.verdict == "reachable"
	not reach.local
] if {
	count(_expected) > 0
} else := [{"zone": zone, "name": object.get({"unknown": svc.key}, svc.owner, _program(svc.owner, svc.gives)), "service": svc} |
	some svc in _asked
	some zone in _zones
	reach := svc.reach[zone]
	reach.verdict == "reachable"
	not reach.local
]

_names := {[o.zone, o.name] | some o in _open}

_program(owner, gives) := owner if {
	gives in {"", "root on the host"}
} else := sprintf("%s of %s", [owner, gives])

_text(name, list) := list[0].key if {
	count(list) == 1
} else := sprintf("%s (%s)", [name, concat(", ", sort({sprintf("%s %d", [svc.proto, svc.port]) | some svc in list}))])

finding contains {
	"resource": {"kind": "service", "key": name},
	"message": sprintf("%s listens and nobody declared it: the %s zone reaches it", [_text(name, list), zone]),
	"severity": _severity(zone),
	"zone": zone,
	"evidence": [e | some svc in list; some e in lib.evidence(svc.reach[zone])],
	"witness": list[0].reach[zone].witness,
	"remediation": array.concat(
		_close(zone, name, list),
		[{"kind": "config", "text": sprintf("params: {expected: [%s]}", [concat(", ", sort({sprintf("%q", [sprintf("%s/%d/%s", [svc.proto, svc.port, svc.owner])]) | some svc in list}))])}],
	),
} if {
	some [zone, name] in _names
	group := {o.service | some o in _open; o.zone == zone; o.name == name}
	list := [svc | some svc in group]
}

# Without a list nobody has said what may be closed: a web server is on it as well. What is dropped is dropped for all that reach it: a zone or a
# port less is a part.
_close(zone, name, list) := [r | some svc in list; some r in lib.close(zone, svc)] if {
	count(_expected) > 0
} else := [{"kind": "words", "text": sprintf("stop it, bind it to the address that needs it, or drop %s from the %s", [_ports(name), _whom(name)])}]

_ports(name) := concat(", ", sort({sprintf("%s port %d", [o.service.proto, o.service.port]) | some o in _open; o.name == name}))

_whom(name) := sprintf("%s zone", [concat("", of)]) if {
	of := {o.zone | some o in _open; o.name == name}
	count(of) == 1
} else := "external and workload zones"

_severity("external") := "medium" if count(_expected) > 0

_severity("external") := "low" if count(_expected) == 0

_severity("workload") := "low"

unknown contains {"resource": {"kind": "service", "key": svc.key}, "reason": lib.unclear(zone, reach)} if {
	some svc in _asked
	some zone in _zones
	reach := svc.reach[zone]
	reach.verdict == "unknown"
}
