package ringfence.firewall.input_accepts_by_default_test

import data.ringfence.firewall.input_accepts_by_default as check

_reach(verdict) := {"verdict": verdict, "origin": "eth0", "local": false, "witness": "w", "because": ["b"], "stoppedBy": []}

_fw(change) := {"firewall": object.union(
	{
		"inputChains": ["inet filter/input"], "families": ["ipv4", "ipv6"], "legacy": [], "programs": [], "ipv6": true,
		"input": [{"zone": "external", "origin": "eth0", "family": "ipv4", "reach": _reach("unreachable")}],
	},
	change,
)}

_with(verdict) := _fw({"input": [{"zone": "external", "origin": "eth0", "family": "ipv4", "reach": _reach(verdict)}]})

test_open_fails if count(check.finding) == 1 with input as _with("reachable")

test_closed_passes if count(check.finding) == 0 with input as _with("unreachable")

test_unknown_is_no_pass if count(check.unknown) == 1 with input as _with("unknown")
