# METADATA
# title: Packets leave connection tracking or the firewall by a rule
# description: >-
#   A rule exempts packets from connection tracking (notrack), or puts connections into a
#   flowtable. What is exempt meets no rule that asks for the state of its connection; what is in a
#   flowtable is forwarded from ingress on, past every rule that is loaded or changed later, until
#   the connection ends. Both are for speed, and both are easily wider than meant.
# custom:
#   severity: low
#   reads: [nftables]
#   remediation: >-
#     Limit the rule to the ports and interfaces that need it; drop what a flowtable carries by
#     ending its connections (conntrack -D).
#   references:
#     nist: ["SC-7", "AC-4"]
#     attack: ["T1599"]
#     cwe: ["CWE-693"]
package ringfence.firewall.leaves_tracking

finding contains {
	"resource": {"kind": "rule", "key": u.key},
	"message": _what[u.kind],
	"severity": _severity[u.kind],
	"evidence": [u.key],
	"remediation": [{"kind": "words", "text": _fix[u.kind]}],
} if {
	some u in input.untracked
}

_what := {
	"notrack": "a rule exempts packets from connection tracking: what asks for the state of a connection does not apply to them",
	"flowtable": "a rule puts connections into a flowtable: rules that are loaded later do not apply to them",
}

_severity := {"notrack": "low", "flowtable": "info"}

_fix := {
	"notrack": "limit the rule to the addresses, ports and interfaces that need it, and filter these without states",
	"flowtable": "keep connections of management and of workloads out of the flowtable; end them with conntrack -D after a change of the rules",
}
