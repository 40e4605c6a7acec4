package ringfence.firewall.workload_to_management_test

import data.ringfence.firewall.workload_to_management as check

_fwd(from, to, verdict) := {"forwards": [{
	"from": "a0", "fromZone": from, "to": "b0", "toZone": to, "family": "ipv4",
	"any": {"verdict": verdict, "origin": "a0", "witness": "w", "because": ["b"], "stoppedBy": []},
	"default": {"verdict": verdict, "origin": "a0", "witness": "w", "because": ["b"], "stoppedBy": []},
}]}

test_open_fails if count(check.finding) == 1 with input as _fwd("workload", "management", "reachable")

test_closed_passes if count(check.finding) == 0 with input as _fwd("workload", "management", "unreachable")

test_unknown_is_no_pass if count(check.unknown) == 1 with input as _fwd("workload", "management", "unknown")
