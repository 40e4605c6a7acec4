# METADATA
# title: Defences of the API server are off
# description: >-
#   kube-apiserver takes tokens from a file, which never end and cannot be taken back without a
#   restart; or does without NodeRestriction, so that one node may act for all others. That it
#   keeps no audit log, or secrets unencrypted in etcd, is told beside that as one low finding.
# custom:
#   severity: medium
#   reads: [management, listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Take out --token-auth-file; add NodeRestriction to --enable-admission-plugins, and set
#     --audit-log-path and --encryption-provider-config.
#   references:
#     nist: ["AC-6", "IA-5(1)", "AU-12"]
#     attack: ["T1078"]
#     cwe: ["CWE-693"]
package ringfence.runtime.api_server_defences_off

import data.ringfence.lib

_servers := [m | some m in input.managed; m.name == "kube-apiserver"; not m.lesser]

_value(m, name) := m.settings[name].value if m.settings[name].state == "present"

finding contains {
	"resource": {"kind": "server", "key": sprintf("%s: tokens", [m.key])},
	"message": "the API server takes tokens that never end from a file",
	"severity": "medium",
	"evidence": [sprintf("token-auth-file %s", [_value(m, "tokens")])],
	"remediation": [{"kind": "words", "text": "take --token-auth-file out, and use certificates or tokens of service accounts"}],
} if {
	some m in _servers
	_value(m, "tokens") != ""
}

finding contains {
	"resource": {"kind": "server", "key": sprintf("%s: NodeRestriction", [m.key])},
	"message": "one node of the cluster may act for all others: NodeRestriction is off",
	"severity": "medium",
	"evidence": [sprintf("enable-admission-plugins %s", [_value(m, "admission")])],
	"remediation": [{"kind": "words", "text": "add NodeRestriction to --enable-admission-plugins"}],
} if {
	some m in _servers
	not "NodeRestriction" in split(_value(m, "admission"), ",")
	_value(m, "authorization") != "file"
	"Node" in split(_value(m, "authorization"), ",")
}

_missing(m) := [what | some name, what in {"audit": "no audit log", "encryption": "secrets unencrypted in etcd"}; _value(m, name) == ""]

finding contains {
	"resource": {"kind": "server", "key": m.key},
	"message": sprintf("the API server was started with %s", [concat(" and ", _missing(m))]),
	"severity": "low",
	"evidence": [sprintf("no option for it: %s", [concat(", ", _missing(m))])],
	"remediation": [{"kind": "words", "text": "set --audit-log-path with a policy, and --encryption-provider-config"}],
} if {
	some m in _servers
	count(_missing(m)) > 0
}

unknown := lib.unread_settings(input.managed, "kube-apiserver", {"tokens", "admission", "audit", "encryption"})

not_applicable := "no API server runs" if count(_servers) == 0
