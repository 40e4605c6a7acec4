# METADATA
# title: Workloads keep raw sockets and the other default capabilities
# description: >-
#   Docker and containerd give every container CAP_NET_RAW: it sends packets in the name of its
#   neighbours on the bridge (ARP, DNS) and past filters of local sockets. Few programs need that
#   or any other of the fourteen. One finding for all containers that kept them.
# custom:
#   severity: info
#   reads: [processes.power, runtimes, agents]
#   remediation: >-
#     Run containers with --cap-drop ALL and add what they need.
#   references:
#     cis: ["Docker v1.6.0 5.4"]
#     nist: ["AC-6"]
#     attack: ["T1557.002", "T1040"]
#     cwe: ["CWE-250"]
package ringfence.capability.default_capabilities_kept

import data.ringfence.lib

_with_raw := {w.name |
	some w in input.workloads
	w.container != ""
	w.hostUser
	not w.fullCaps
	not w.hostNet # there it is another matter
	"net_raw" in w.caps
	not "net_admin" in w.caps
}

finding contains {
	"resource": {"kind": "host", "key": "default capabilities of containers"},
	"message": sprintf("%s may send packets in the name of their neighbours (CAP_NET_RAW)", [lib.join(sort(_with_raw))]),
	"evidence": [sprintf("processes of %d containers have CAP_NET_RAW in the initial user namespace", [count(_with_raw)])],
	"remediation": [{"kind": "config", "text": "run containers with --cap-drop ALL --cap-add and what they need, or at least with --cap-drop NET_RAW"}],
} if {
	count(_with_raw) > 0
}

not_applicable := "no workload runs" if count(input.workloads) == 0
