# METADATA
# title: Published ports go past the input filter
# description: >-
#   A port of the host is rewritten and forwarded to a workload before the input filter sees it.
#   Who closed the host with input rules, as with ufw, finds the port open from outside.
# custom:
#   severity: high
#   reads: [network, nftables]
#   remediation: >-
#     Publish the port on 127.0.0.1 or on the management address alone, or drop it in the forward
#     hook or before the translation (in Docker, in the chain DOCKER-USER).
#   references:
#     nist: ["SC-7", "AC-4"]
#     cwe: ["CWE-693"]
package ringfence.firewall.published_port_bypasses_input

import data.ringfence.lib

finding contains {
	"resource": {"kind": "published", "key": _key(p)},
	"message": sprintf(
		"%s port %s of %s leads to a workload, past the input filter that closes the host to the %s zone",
		[p.proto, concat(", ", p.ports), p.address, p.zone],
	),
	"zone": p.zone,
	"evidence": [
		sprintf("%s gets through", [p.reach.witness]),
		sprintf("other ports are stopped by %s", [concat("; ", p.input.stoppedBy)]),
	],
	"witness": p.reach.witness,
	"remediation": _fix(p),
} if {
	some p in input.published
	_outside(p)
	p.reach.verdict == "reachable"
	p.input.verdict == "unreachable"
}

_outside(p) if p.zone in {"external", "unclassified"}

# A port by itself can be dropped before the translation; a range of them is somebody's plan.
_fix(p) := array.concat(
	[{
		"kind": "nft",
		"text": sprintf("drop %s port %s from the external zone, before the translation", [p.proto, port]),
		"deny": {"zone": "external", "proto": p.proto, "port": to_number(port)},
	} |
		some port in p.ports
		not contains(port, "-")
		p.proto in {"tcp", "udp"}
	],
	[{"kind": "words", "text": "publish the port on an address that only its users reach, or drop it before the translation"}],
)

_key(p) := sprintf("%s %s %s on %s", [p.proto, p.address, concat(",", p.ports), p.origin])

unknown contains {
	"resource": {"kind": "published", "key": _key(p)},
	"reason": lib.unclear(p.zone, p.reach),
} if {
	some p in input.published
	_outside(p)
	p.reach.verdict == "unknown"
	p.input.verdict != "reachable"
}

unknown contains {
	"resource": {"kind": "published", "key": _key(p)},
	"reason": lib.unclear(p.zone, p.input),
} if {
	some p in input.published
	_outside(p)
	p.reach.verdict == "reachable"
	p.input.verdict == "unknown"
}

not_applicable := "no port of the host is forwarded" if count([p | some p in input.published; _outside(p)]) == 0
