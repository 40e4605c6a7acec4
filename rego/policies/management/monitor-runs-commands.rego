# METADATA
# title: A monitoring agent lets others run commands or change settings
# description: >-
#   The agent of a monitoring system was told to take commands: NRPE with arguments, Zabbix with
#   system.run, snmpd with a community that may write, Prometheus with its lifecycle or
#   administration interface. Who reaches it, or the server that it trusts, acts on the host as the
#   agent. A community that everybody guesses (public) tells them what runs here.
# custom:
#   severity: high
#   reads: [management, listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Switch it off: dont_blame_nrpe=0, DenyKey=system.run[*], no rwcommunity; and limit who may
#     connect.
#   references:
#     nist: ["CM-7", "AC-3"]
#     attack: ["T1072", "T1059.004"]
#     cwe: ["CWE-749"]
package ringfence.management.monitor_runs_commands

import data.ringfence.lib

_commands(m) := v if {
	f := m.settings.remoteCommands
	f.state == "present"
	v := f.value
	v != "no"
}

# Subagents speak to snmpd on ports of their own (SMUX, AgentX), where there are no communities.
_reached(m) if {
	some svc in _asked(m)
	some zone in {"external", "workload"}
	svc.reach[zone].verdict == "reachable"
}

_asked(m) := [svc |
	some svc in m.services
	not {"name": m.name, "port": svc.port} in {{"name": "snmpd", "port": 199}, {"name": "snmpd", "port": 705}}
]

finding contains {
	"resource": {"kind": "server", "key": m.key},
	"message": sprintf("%s takes commands or settings from others (%s)", [m.key, how]),
	"severity": _severity(m),
	"evidence": [m.evidence, sprintf("its configuration has %s", [how])],
	"remediation": [{"kind": "words", "text": sprintf("take %s out of its configuration, and limit who may connect", [how])}],
} if {
	some m in input.managed
	m.role == "monitor"
	how := _commands(m)
}

_severity(m) := "low" if {
	m.lesser
} else := "high" if {
	_reached(m)
} else := "medium"

finding contains {
	"resource": {"kind": "server", "key": sprintf("%s community", [m.key])},
	"message": sprintf("%s answers who says %q", [m.key, m.settings.community.value]),
	"severity": "medium",
	"evidence": [m.evidence],
	"remediation": [{"kind": "words", "text": "use SNMPv3 with authPriv, or a community that nobody guesses, and limit who may ask"}],
} if {
	some m in input.managed
	m.role == "monitor"
	m.settings.community.value in {"public", "private"}
	_reached(m)
}

unknown contains {"resource": {"kind": "server", "key": m.key}, "reason": sprintf("whether it takes commands is not known: %s", [_why(m)])} if {
	some m in input.managed
	m.role == "monitor"
	not m.lesser
	object.get(m.settings, ["remoteCommands", "state"], "error") != "present"
}

unknown contains {"resource": {"kind": "server", "key": sprintf("%s community", [m.key])}, "reason": lib.unclear(zone, reach)} if {
	some m in input.managed
	m.role == "monitor"
	not m.lesser
	m.settings.community.value in {"public", "private"}
	not _reached(m)
	some svc in _asked(m)
	some zone in {"external", "workload"}
	reach := svc.reach[zone]
	reach.verdict == "unknown"
}

_why(m) := object.get(m.settings, ["remoteCommands", "reason"], object.get(m.settings, ["read", "reason"], "the snapshot does not tell it"))
