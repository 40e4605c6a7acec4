# METADATA
# title: The store of the cluster asks its clients for nothing
# description: >-
#   etcd holds every secret and every decision of a Kubernetes cluster, and takes whatever a client
#   writes. It was started without client-cert-auth: who reaches its port is administrator of the
#   cluster, and root of its nodes. On loopback that is every process of the host.
# custom:
#   severity: critical
#   reads: [management, listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Set client-cert-auth with a CA of its own, and listen on https alone.
#   references:
#     nist: ["IA-2", "SC-8"]
#     attack: ["T1552.007"]
#     cwe: ["CWE-306"]
package ringfence.runtime.etcd_without_client_certificates

import data.ringfence.lib

_value(m, name) := m.settings[name].value if m.settings[name].state == "present"

# URLs of other hosts than this one; a socket file is for who may open it.
# Over http there are no certificates, whatever client-cert-auth says.
_open(m) := [u |
	some u in split(trim(replace(_value(m, "clientURLs"), " ", ","), "[]"), ",")
	_unasked(m, u)
]

_unasked(m, u) if {
	regex.match(`^https?://`, u)
	_value(m, "clientCertAuth") != "true"
}

_unasked(_, u) if startswith(u, "http://")

_wide(m) := [u | some u in _open(m); not regex.match(`^https?://(localhost|127\.[0-9.]+|\[::1\])(:|/|$)`, u)]

finding contains {
	"resource": {"kind": "server", "key": m.key},
	"message": sprintf("%s asks no certificate of its clients", [m.key]),
	"severity": _severity(m),
	"evidence": [sprintf("certificates are asked for: %s, it listens at %s", [_value(m, "clientCertAuth"), _value(m, "clientURLs")])],
	"remediation": [{"kind": "words", "text": "client-cert-auth true with a trusted CA, and https URLs alone"}],
} if {
	some m in input.managed
	m.name == "etcd"
	not m.lesser
	count(_open(m)) > 0
}

_severity(m) := "critical" if {
	count(_wide(m)) > 0
	some svc in m.services
	svc.port in {2379, 4001}
	some zone in {"external", "workload"}
	svc.reach[zone].verdict == "reachable"
	not svc.reach[zone].local
} else := "high" if {
	count(_wide(m)) > 0
} else := "medium"

unknown := lib.unread_settings(input.managed, "etcd", {"clientCertAuth", "clientURLs"})

not_applicable := "no etcd runs" if {
	not "etcd" in {m.name | some m in input.managed}
}
