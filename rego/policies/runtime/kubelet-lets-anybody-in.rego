# METADATA
# title: The kubelet asks nobody who they are or what they may do
# description: >-
#   The kubelet takes requests without a certificate or token (anonymous-auth), or lets whoever
#   shows one do everything (authorization-mode AlwaysAllow). By it a request runs a command in any
#   container of the node. Without a configuration file both are so by default.
# custom:
#   severity: high
#   reads: [management, listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Set authentication.anonymous.enabled: false and authorization.mode: Webhook in the
#     configuration of the kubelet, and restart it.
#   references:
#     nist: ["AC-3", "IA-2"]
#     attack: ["T1609"]
#     cwe: ["CWE-306", "CWE-862"]
package ringfence.runtime.kubelet_lets_anybody_in

import data.ringfence.lib

_value(m, name) := m.settings[name].value if m.settings[name].state == "present"

# One finding a kubelet: what it lets whom do, and who reaches its interface.
finding contains {
	"resource": {"kind": "server", "key": m.key},
	"message": sprintf("the kubelet (%s) %s; its interface is open to %s", [m.key, words.text, _whom(m)]),
	"severity": _severity(m, words),
	"evidence": array.concat(
		[sprintf("anonymous-auth %s, authorization-mode %s", [_value(m, "anonymous"), _value(m, "authorization")])],
		[e | some svc in _interface(m); some zone in ["external", "workload"]; some e in lib.evidence(svc.reach[zone])],
	),
	"witness": _witness(m),
	"remediation": array.concat(_fix, [r |
		some svc in _interface(m)
		some zone in ["external", "workload"]
		svc.reach[zone].verdict == "reachable"
		some r in lib.close(zone, svc)
	]),
} if {
	some m in input.managed
	m.name == "kubelet"
	not m.lesser
	words := _words[_value(m, "anonymous")][_mode(m)]
}

# What it does, by whether it takes requests without a login, and whether everything is allowed: then how bad that is for a zone, and for processes of
# the host.
_words := {
	"true": {
		"everything": {"text": "lets whoever connects run commands in its containers", "reached": "critical", "local": "medium"},
		"asked": {"text": "takes requests from who does not show who they are, and asks the API server what they may do", "reached": "medium", "local": "low"},
	},
	"false": {"everything": {"text": "lets everybody whose certificate or token it knows do everything", "reached": "high", "local": "medium"}},
}

_mode(m) := "everything" if _value(m, "authorization") == "AlwaysAllow"

_mode(m) := "asked" if not _value(m, "authorization") in {"", "AlwaysAllow"}

# Its other sockets are for its health, for what may be read, and for streams.
_interface(m) := [svc | some svc in m.services; svc.proto == "tcp"; format_int(svc.port, 10) == object.get(m.settings, ["port", "value"], "10250")]

_reached(m) := [zone |
	some zone in ["external", "workload"]
	some svc in _interface(m)
	svc.reach[zone].verdict == "reachable"
	not svc.reach[zone].local
]

_whom(m) := sprintf("everybody in %s", [lib.zones_text(_zones(m))]) if count(_reached(m)) > 0

else := "every process of the host"

_zones(m) := [zone | some zone in ["external", "workload"]; zone in _reached(m)]

_severity(m, words) := words.reached if count(_reached(m)) > 0

else := words.local

_witness(m) := concat("; ", [w |
	some zone in _zones(m)
	w := [svc.reach[zone].witness | some svc in _interface(m); svc.reach[zone].verdict == "reachable"][0]
])

_fix := [{"kind": "words", "text": "in the configuration of the kubelet: authentication: {anonymous: {enabled: false}, webhook: {enabled: true}}, authorization: {mode: Webhook}; then restart it"}]

# Who reaches an open one decides how bad it is.
unknown contains {"resource": {"kind": "service", "key": svc.key}, "reason": lib.unclear(zone, svc.reach[zone])} if {
	some m in input.managed
	m.name == "kubelet"
	not m.lesser
	_value(m, "authorization") == "AlwaysAllow"
	some svc in _interface(m)
	some zone in {"external", "workload"}
	svc.reach[zone].verdict == "unknown"
}

unknown contains u if some u in lib.unread_settings(input.managed, "kubelet", {"anonymous", "authorization"})

not_applicable := "no kubelet runs" if {
	not "kubelet" in {m.name | some m in input.managed}
}
