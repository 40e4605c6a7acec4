# METADATA
# title: A workload has a network that the host's firewall does not see
# description: >-
#   A container or machine has a macvlan or ipvlan interface, or a network card of its own. Its
#   frames go to the wire below the stack of the host: no rule that is loaded on the host applies
#   to them, whatever it says about workloads.
# custom:
#   severity: medium
#   reads: [network, namespaces.processes, processes.power, runtimes, agents]
#   remediation: >-
#     Put the workload behind a bridge or veth of the host; or filter on the switch, or at the
#     netdev hooks of the parent.
#   references:
#     nist: ["SC-7", "AC-4"]
#     attack: ["T1599"]
#     cwe: ["CWE-653"]
package ringfence.zone.workload_beside_the_filter

finding contains {
	"resource": {"kind": "interface", "key": sprintf("%s of %s", [b.link, b.workload])},
	"message": sprintf("%s is on the network of %s by %s, past the packet filter of the host", [b.workload, _where(b), b.link]),
	"severity": _severity(b),
	"evidence": [sprintf("%s in the namespace of %s is of kind %s%s", [b.link, b.workload, b.kind, _of(b)])],
	"remediation": [{"kind": "words", "text": sprintf("give %s a bridge or veth of the host in place of %s, or filter where the wire ends", [b.workload, b.link])}],
} if {
	some b in input.besideHost
}

_where(b) := b.parent if b.parent != ""

else := "its network card"

_of(b) := sprintf(", on %s (%s zone)", [b.parent, b.zone]) if b.parent != ""

else := ", hardware of its own"

_severity(b) := "high" if b.zone == "management"

else := "medium"
