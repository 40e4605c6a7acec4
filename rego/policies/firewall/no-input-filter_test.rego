package ringfence.firewall.no_input_filter_test

import data.ringfence.firewall.no_input_filter as check

_reach(verdict) := {"verdict": verdict, "origin": "eth0", "local": false, "witness": "w", "because": ["b"], "stoppedBy": []}

_fw(change) := {"firewall": object.union(
	{
		"inputChains": ["inet filter/input"], "families": ["ipv4", "ipv6"], "legacy": [], "programs": [], "ipv6": true,
		"input": [{"zone": "external", "origin": "eth0", "family": "ipv4", "reach": _reach("unreachable")}],
	},
	change,
)}

test_no_chain_fails if count(check.finding) == 1 with input as _fw({"inputChains": []})

test_a_chain_passes if count(check.finding) == 0 with input as _fw({})

test_legacy_is_unknown if count(check.unknown) == 1 with input as _fw({"inputChains": [], "legacy": ["iptables: filter"]})

test_loopback_only_does_not_apply if check.not_applicable with input as _fw({"input": []})
