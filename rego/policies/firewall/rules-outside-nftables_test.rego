package ringfence.firewall.rules_outside_nftables_test

import data.ringfence.firewall.rules_outside_nftables as check

_reach(verdict) := {"verdict": verdict, "origin": "eth0", "local": false, "witness": "w", "because": ["b"], "stoppedBy": []}

_fw(change) := {"firewall": object.union(
	{
		"inputChains": ["inet filter/input"], "families": ["ipv4", "ipv6"], "legacy": [], "programs": [], "beside": [], "ipv6": true,
		"input": [{"zone": "external", "origin": "eth0", "family": "ipv4", "reach": _reach("unreachable")}],
	},
	change,
)}

test_legacy_fails if count(check.finding) == 1 with input as _fw({"legacy": ["iptables: filter"]})

test_xdp_fails if count(check.finding) == 1 with input as _fw({"programs": ["XDP program on eth0"]})

test_nothing_passes if count(check.finding) == 0 with input as _fw({})

test_a_program_of_some_network_namespace_is_unknown if {
	doc := _fw({"beside": ["the program guard at input"]})
	count(check.finding) == 0 with input as doc
	count(check.unknown) == 1 with input as doc
}
