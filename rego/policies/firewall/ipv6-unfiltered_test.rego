package ringfence.firewall.ipv6_unfiltered_test

import data.ringfence.firewall.ipv6_unfiltered as check

_reach(verdict) := {"verdict": verdict, "origin": "eth0", "local": false, "witness": "w", "because": ["b"], "stoppedBy": []}

_fw(change) := {"firewall": object.union(
	{
		"inputChains": ["inet filter/input"], "families": ["ipv4", "ipv6"], "legacy": [], "programs": [], "ipv6": true,
		"input": [{"zone": "external", "origin": "eth0", "family": "ipv4", "reach": _reach("unreachable")}],
	},
	change,
)}

_pair(four, six) := _fw({"input": [
	{"zone": "external", "origin": "eth0", "family": "ipv4", "reach": _reach(four)},
	{"zone": "external", "origin": "eth0", "family": "ipv6", "reach": _reach(six)},
]})

test_open_ipv6_fails if count(check.finding) == 1 with input as _pair("unreachable", "reachable")

test_both_closed_passes if count(check.finding) == 0 with input as _pair("unreachable", "unreachable")

test_both_open_is_another_check if count(check.finding) == 0 with input as _pair("reachable", "reachable")

test_open_beside_unknown_is_no_pass if {
	count(check.unknown) == 1 with input as _pair("unknown", "reachable")
	count(check.finding) == 0 with input as _pair("unknown", "reachable")
}

test_unknown_is_no_pass if count(check.unknown) == 1 with input as _pair("unreachable", "unknown")
