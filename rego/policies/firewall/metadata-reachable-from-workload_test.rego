package ringfence.firewall.metadata_reachable_from_workload_test

import data.ringfence.firewall.metadata_reachable_from_workload as check

_way(verdict) := {"from": "docker0", "address": "169.254.169.254", "family": "ipv4", "reach": {"verdict": verdict, "origin": "docker0", "local": false, "witness": "in docker0 ...", "because": ["x"], "stoppedBy": []}}

_doc(ways) := {"metadata": {"state": "present", "reason": "", "cloud": "aws", "ways": ways}}

test_forwarded_fails if count(check.finding) == 1 with input as _doc([_way("reachable")])

test_both_families_are_one_finding if {
	found := check.finding with input as _doc([_way("reachable"), object.union(_way("reachable"), {"address": "fd00:ec2::254"})])
	count(found) == 1
	some f in found
	count(f.evidence) == 2
}

test_dropped_passes if {
	count(check.finding) == 0 with input as _doc([_way("unreachable")])
	count(check.unknown) == 0 with input as _doc([_way("unreachable")])
}

test_unclear_is_unknown if count(check.unknown) == 1 with input as _doc([_way("unknown")])

test_without_a_cloud_it_does_not_apply if check.not_applicable with input as {"metadata": {"state": "absent", "reason": "", "cloud": "", "ways": []}}

test_without_workloads_it_does_not_apply if check.not_applicable with input as _doc([])

test_unread_is_unknown if count(check.unknown) == 1 with input as {"metadata": {"state": "denied", "reason": "x", "cloud": "", "ways": []}}

test_an_agent_on_the_host_fails if {
	some f in check.finding with input as _doc([object.union(_way("reachable"), {"from": "the host's own network namespace"})])
	startswith(f.message, "workloads in the host's own network namespace reach")
	contains(f.remediation[0].text, "output hook")
}
