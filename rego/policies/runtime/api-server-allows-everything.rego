# METADATA
# title: The API server allows everything
# description: >-
#   kube-apiserver was started with the authorization mode AlwaysAllow, which is also its default
#   without the option: each pod, by the token that it is given, is administrator of the cluster.
# custom:
#   severity: critical
#   reads: [management, listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Start it with --authorization-mode=Node,RBAC.
#   references:
#     nist: ["AC-3", "AC-6"]
#     attack: ["T1609", "T1611"]
#     cwe: ["CWE-862"]
package ringfence.runtime.api_server_allows_everything

import data.ringfence.lib

_mode(m) := m.settings.authorization.value if m.settings.authorization.state == "present"

finding contains {
	"resource": {"kind": "server", "key": m.key},
	"message": sprintf("whoever has any token of the cluster is its administrator (%s)", [m.key]),
	"evidence": [sprintf("authorization-mode %s", [_mode(m)])],
	"remediation": [{"kind": "words", "text": "start kube-apiserver with --authorization-mode=Node,RBAC"}],
} if {
	some m in input.managed
	m.name == "kube-apiserver"
	not m.lesser
	"AlwaysAllow" in split(_mode(m), ",")
}

unknown := lib.unread_settings(input.managed, "kube-apiserver", {"authorization"}) | {{"resource": {"kind": "server", "key": m.key}, "reason": "its authorization is in a file that is not read"} |
	some m in input.managed
	m.name == "kube-apiserver"
	not m.lesser
	_mode(m) == "file"
}

not_applicable := "no API server runs" if {
	not "kube-apiserver" in {m.name | some m in input.managed}
}
