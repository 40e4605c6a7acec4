# METADATA
# title: The store of the cluster takes anybody as its member
# description: >-
#   etcd listens for other members without peer-client-cert-auth, at an address of a network. Who
#   reaches that port joins in, gets a copy of all secrets, and may change them. On loopback alone
#   it is no finding: there are no other members.
# custom:
#   severity: critical
#   reads: [management, listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Set peer-client-cert-auth with a CA of its own, and listen on https alone.
#   references:
#     nist: ["IA-2", "SC-8"]
#     attack: ["T1552.007"]
#     cwe: ["CWE-306"]
package ringfence.runtime.etcd_peers_without_certificates

import data.ringfence.lib

_value(m, name) := m.settings[name].value if m.settings[name].state == "present"

# URLs of other hosts than this one; a socket file is for who may open it.
# Over http there are no certificates, whatever peer-client-cert-auth says.
_wide(m) := [u |
	some u in split(trim(replace(_value(m, "peerURLs"), " ", ","), "[]"), ",")
	_unasked(m, u)
	not regex.match(`^https?://(localhost|127\.[0-9.]+|\[::1\])(:|/|$)`, u)
]

_unasked(m, u) if {
	regex.match(`^https?://`, u)
	_value(m, "peerCertAuth") != "true"
}

_unasked(_, u) if startswith(u, "http://")

finding contains {
	"resource": {"kind": "server", "key": m.key},
	"message": sprintf("%s asks no certificate of its peers", [m.key]),
	"severity": _severity(m),
	"evidence": [sprintf("certificates are asked for: %s, it listens at %s", [_value(m, "peerCertAuth"), _value(m, "peerURLs")])],
	"remediation": [{"kind": "words", "text": "peer-client-cert-auth true with a trusted CA, and https URLs alone"}],
} if {
	some m in input.managed
	m.name == "etcd"
	not m.lesser
	_value(m, "peerCertAuth")
	count(_wide(m)) > 0
}

_severity(m) := "critical" if {
	some svc in m.services
	svc.port in {2380, 7001}
	some zone in {"external", "workload"}
	svc.reach[zone].verdict == "reachable"
	not svc.reach[zone].local
} else := "high" if {
	count(_wide(m)) > 0
} else := "medium"

unknown := lib.unread_settings(input.managed, "etcd", {"peerCertAuth", "peerURLs"})

not_applicable := "no etcd runs" if {
	not "etcd" in {m.name | some m in input.managed}
}
