# METADATA
# title: A server that keeps data or acts for others lets everybody in
# description: >-
#   A database, a cache, a broker of messages or a server of files takes who connects without a
#   password: Redis without protected mode, memcached, PostgreSQL with trust, MariaDB without its
#   tables of grants, Mosquitto with anonymous clients, NATS or InfluxDB without users, modules of
#   rsync and shares of Samba for guests, exports of NFS. So do what acts for who connects: kubectl
#   proxy, Nomad and Consul without a list of access, an agent of Vault that adds its own token, a
#   master of Salt that takes every minion, the administration of CUPS. Several of them write files
#   or run commands as their account, and what they keep is read and changed by everybody. So is the control of Unbound
#   without certificates, an interface of aria2, Transmission or Syncthing, a registry of Docker, a pool of PHP-FPM, commands of HAProxy, Varnish and supervisord; a
#   proxy that asks nobody, Squid or Tinyproxy, leads to what listens on loopback. Who gets files to read alone, or only from some addresses, is medium; what processes
#   of the host alone reach is low. Accounts that are inside of a database are not read: what hangs
#   on them is unknown.
# custom:
#   severity: high
#   reads: [management, listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Set a password or ask for certificates, bind the server to loopback or to the address that its
#     users reach, and drop its port from other zones.
#   references:
#     nist: ["AC-3", "IA-2", "SC-7(5)"]
#     attack: ["T1190", "T1213"]
#     cwe: ["CWE-306"]
package ringfence.management.data_server_asks_nobody

import data.ringfence.lib

_fact(m, name) := object.get(m.settings, [name, "value"], "")

_serves(m) if m.role == "data"

# A server of FTP, whose logins another check is about.
_serves(m) if {
	m.role == "cleartext"
	_fact(m, "login") != ""
}

_open(m, zone) := [svc |
	_fact(m, "login") in {"none", "addresses"}
	some svc in m.services
	svc.proto == "tcp"
	not svc.loopback
	svc.reach[zone].verdict == "reachable"
	not svc.reach[zone].local
]

_ports(services) := concat(", ", sort({sprintf("%s %d", [svc.proto, svc.port]) | some svc in services}))

# A server is told of once, with all of its sockets; another of the same name has other ports. It is the same server when less of it is open; ports that the
# kernel gives are others each time.
_key(m) := sprintf("%s (%s)", [m.key, _ports(given)]) if {
	given := [svc | some svc in m.services; svc.proto == "tcp"; svc.port < 32768]
	count(given) > 0
} else := sprintf("%s (%s)", [m.key, _ports([svc | some svc in m.services; svc.proto == "tcp"])])

finding contains {
	"resource": {"kind": "server", "key": _key(m)},
	"message": sprintf("who connects to %s (%s) from the %s zone%s %s, without a password", [m.key, _ports(open), zone, _from(m), _fact(m, "gives")]),
	"severity": _severity(m, open),
	"zone": zone,
	"evidence": array.concat([m.evidence, sprintf("its configuration: %s", [_fact(m, "how")])], [e | some svc in open; some e in lib.evidence(svc.reach[zone])]),
	"witness": open[0].reach[zone].witness,
	"remediation": [r | some svc in open; some r in lib.close(zone, svc)],
} if {
	some m in input.managed
	_serves(m)
	some zone in {"external", "workload"}
	open := _open(m, zone)
	count(open) > 0
}

_from(m) := ", if its address is let in," if _fact(m, "login") == "addresses"

else := ""

_severity(m, open) := "medium" if {
	every svc in open {
		lib.lesser(svc)
	}
} else := "medium" if {
	m.lesser
} else := "medium" if {
	_fact(m, "login") == "addresses"
} else := "medium" if {
	not contains(_fact(m, "gives"), "writes")
	not contains(_fact(m, "gives"), "commands")
} else := "high"

# What processes of workloads reach on the host itself.
finding contains {
	"resource": {"kind": "server", "key": _key(m)},
	"message": sprintf("every workload on the host that connects to %s (%s) %s, without a password", [m.key, _ports(local), _fact(m, "gives")]),
	"severity": "low",
	"zone": "workload",
	"evidence": [m.evidence, sprintf("its configuration: %s", [_fact(m, "how")])],
	"remediation": [{"kind": "words", "text": "set a password, also for who comes from the host itself"}],
} if {
	some m in input.managed
	_serves(m)
	not m.lesser
	_fact(m, "login") in {"none", "loopback"}
	count(_open(m, "external")) + count(_open(m, "workload")) == 0
	local := [svc | some svc in m.services; svc.proto == "tcp"; svc.reach.workload.verdict == "reachable"; svc.reach.workload.local]
	count(local) > 0
}

_reached(svc) if {
	some zone in {"external", "workload"}
	svc.reach[zone].verdict == "reachable"
	not svc.reach[zone].local
	not svc.loopback
}

unknown contains {
	"resource": {"kind": "service", "key": svc.key},
	"reason": sprintf("whether %s lets everybody in is not known: %s", [m.key, _why(m)]),
} if {
	some m in input.managed
	m.role in {"data", "cleartext"}
	object.get(m.settings, ["login", "state"], "none") != "present"
	_told(m)
	not m.lesser
	some svc in m.services
	not lib.lesser(svc)
	svc.proto == "tcp"
	_reached(svc)
}

_told(m) if m.role == "data"

_told(m) if m.settings.login

_why(m) := object.get(m.settings, ["login", "reason"], object.get(m.settings, ["read", "reason"], "its settings were not read"))

unknown contains {"resource": {"kind": "service", "key": svc.key}, "reason": lib.unclear(zone, svc.reach[zone])} if {
	some m in input.managed
	_serves(m)
	_fact(m, "login") in {"none", "addresses"}
	some svc in m.services
	not lib.lesser(svc)
	some zone in {"external", "workload"}
	svc.reach[zone].verdict == "unknown"
}
