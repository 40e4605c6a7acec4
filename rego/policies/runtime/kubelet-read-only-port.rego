# METADATA
# title: The kubelet tells everybody what runs on the node
# description: >-
#   The read-only port of the kubelet is open: without a login it tells which pods run, with what
#   images, arguments and environment names, and how much. It has been off by default in
#   configuration files for years.
# custom:
#   severity: medium
#   reads: [management, listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Set readOnlyPort: 0 in the configuration of the kubelet, and restart it.
#   references:
#     nist: ["AC-3", "CM-7"]
#     attack: ["T1613"]
#     cwe: ["CWE-306"]
package ringfence.runtime.kubelet_read_only_port

import data.ringfence.lib

finding contains {
	"resource": {"kind": "server", "key": m.key},
	"message": sprintf("the kubelet (%s) tells what runs on the node to who asks port %s", [m.key, port]),
	"severity": _severity(m, port),
	"evidence": [sprintf("read-only-port %s", [port])],
	"remediation": [{"kind": "words", "text": "set readOnlyPort: 0 in the configuration of the kubelet, and restart it"}],
} if {
	some m in input.managed
	m.name == "kubelet"
	not m.lesser
	m.settings.readOnlyPort.state == "present"
	port := m.settings.readOnlyPort.value
	port != "0"
}

_severity(m, port) := "medium" if {
	some svc in m.services
	format_int(svc.port, 10) == port
	some zone in {"external", "workload"}
	svc.reach[zone].verdict == "reachable"
} else := "low"

unknown := lib.unread_settings(input.managed, "kubelet", {"readOnlyPort"})

not_applicable := "no kubelet runs" if {
	not "kubelet" in {m.name | some m in input.managed}
}
