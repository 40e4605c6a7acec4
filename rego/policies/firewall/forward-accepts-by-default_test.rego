package ringfence.firewall.forward_accepts_by_default_test

import data.ringfence.firewall.forward_accepts_by_default as check

_fwd(from, to, verdict) := {"forwards": [{
	"from": "a0", "fromZone": from, "to": "b0", "toZone": to, "family": "ipv4",
	"any": {"verdict": verdict, "origin": "a0", "witness": "w", "because": ["b"], "stoppedBy": []},
	"default": {"verdict": verdict, "origin": "a0", "witness": "w", "because": ["b"], "stoppedBy": []},
}]}

test_open_fails if count(check.finding) == 1 with input as _fwd("external", "workload", "reachable")

test_closed_passes if count(check.finding) == 0 with input as _fwd("external", "workload", "unreachable")

test_egress_is_not_counted if count(check.finding) == 0 with input as _fwd("workload", "external", "reachable")

test_unknown_is_no_pass if count(check.unknown) == 1 with input as _fwd("external", "workload", "unknown")

# Pods of a cluster talk to each other on purpose; two networks of workloads do not.
test_within_a_network_is_meant if {
	open := _fwd("workload", "workload", "reachable")
	count(check.finding) == 1 with input as open
	within := json.patch(open, [{"op": "add", "path": "/forwards/0/within", "value": "pods"}])
	count(check.finding) == 0 with input as within
}
