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

finding contains {
	"resource": {"kind": "server", "key": m.key},
	"message": sprintf("the kubelet (%s) lets whoever connects run commands in its containers", [m.key]),
	"severity": "critical",
	"evidence": _evidence(m),
	"remediation": _fix,
} if {
	some m in input.managed
	m.name == "kubelet"
	not m.lesser
	_value(m, "authorization") == "AlwaysAllow"
	_value(m, "anonymous") == "true"
	_reached(m)
}

finding contains {
	"resource": {"kind": "server", "key": m.key},
	"message": sprintf("the kubelet (%s) lets everybody whom it knows do everything", [m.key]),
	"severity": "high",
	"evidence": _evidence(m),
	"remediation": _fix,
} if {
	some m in input.managed
	m.name == "kubelet"
	not m.lesser
	_value(m, "authorization") == "AlwaysAllow"
}

finding contains {
	"resource": {"kind": "server", "key": m.key},
	"message": sprintf("the kubelet (%s) takes requests from who does not show who they are", [m.key]),
	"severity": "medium",
	"evidence": _evidence(m),
	"remediation": _fix,
} if {
	some m in input.managed
	m.name == "kubelet"
	not m.lesser
	_value(m, "anonymous") == "true"
	_value(m, "authorization") != "AlwaysAllow"
}

_reached(m) if {
	some svc in m.services
	some zone in {"external", "workload"}
	svc.reach[zone].verdict == "reachable"
}

_evidence(m) := [sprintf("anonymous-auth %s, authorization-mode %s", [_value(m, "anonymous"), _value(m, "authorization")])]

_fix := [{"kind": "words", "text": "in the configuration of the kubelet: authentication: {anonymous: {enabled: false}, webhook: {enabled: true}}, authorization: {mode: Webhook}; then restart it"}]

unknown := lib.unread_settings(input.managed, "kubelet", {"anonymous", "authorization"})

not_applicable := "no kubelet runs" if {
	not "kubelet" in {m.name | some m in input.managed}
}
