# METADATA
# title: Workloads on one bridge reach each other past the packet filter
# description: >-
#   What goes from port to port of a bridge meets the filters of IPv4 and IPv6 only where
#   br_netfilter hands it to them, and else only filters of the bridge family. Without either,
#   no rule keeps one workload from another.
# custom:
#   severity: medium
#   reads: [network, nftables]
#   remediation: >-
#     Set net.bridge.bridge-nf-call-iptables and -ip6tables to 1, filter in a table of family
#     bridge, or give each workload a bridge of its own.
#   references:
#     nist: ["SC-7(21)", "AC-4"]
#     cwe: ["CWE-653"]
package ringfence.firewall.bridge_traffic_unfiltered

finding contains {
	"resource": {"kind": "bridge", "key": b.name},
	"message": sprintf("nothing filters what workloads on %s send each other", [b.name]),
	"zone": "workload",
	"evidence": [
		sprintf("ports: %s", [concat(", ", b.ports)]),
		sprintf("br_netfilter is off for %s, and no other rule stops anything of it", [concat(", ", sort(_open(b)))]),
	],
	"remediation": [{"kind": "sysctl", "settings": [
		{"name": "net.bridge.bridge-nf-call-iptables", "value": "1"},
		{"name": "net.bridge.bridge-nf-call-ip6tables", "value": "1"},
	]}],
} if {
	some b in _shared
	count(_open(b)) > 0
}

# _shared are the bridges on which workloads can meet.
_shared contains b if {
	some b in input.bridges
	b.zone == "workload"
	count(b.ports) > 1
}

_open(b) := [family | some family, state in b.calls; state in {"off", "absent"}; b.between[family] == "open"]

unknown contains {
	"resource": {"kind": "bridge", "key": b.name},
	"reason": sprintf("whether br_netfilter is on was not read, and no other rule filters %s", [b.name]),
} if {
	some b in _shared
	some family in ["ipv4", "ipv6"]
	b.calls[family] == "unknown"
	b.between[family] == "open"
}

unknown contains {
	"resource": {"kind": "bridge", "key": b.name},
	"reason": sprintf("whether rules stop anything between the %d ports of %s was not found out", [count(b.ports), b.name]),
} if {
	some b in _shared
	some family in ["ipv4", "ipv6"]
	b.calls[family] != "on"
	b.between[family] == "unknown"
}

not_applicable := "no bridge has two workloads" if count(_shared) == 0
