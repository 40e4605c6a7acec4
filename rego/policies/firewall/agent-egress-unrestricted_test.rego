package ringfence.firewall.agent_egress_unrestricted_test

import data.ringfence.firewall.agent_egress_unrestricted as check

_doc(verdict) := {"agentPrograms": [{"key": "Claude Code in container dev", "container": "dev"}], "forwards": [{
	"from": "docker0", "fromZone": "workload", "to": "eth0", "toZone": "external", "family": "ipv4",
	"default": {"verdict": verdict, "witness": "in docker0 ...", "because": ["x"], "stoppedBy": []},
}]}

test_open_fails if count(check.finding) == 1 with input as _doc("reachable")

test_closed_passes if count(check.finding) == 0 with input as _doc("unreachable")

test_unclear_is_unknown if count(check.unknown) == 1 with input as _doc("unknown")

test_without_workloads_it_does_not_apply if check.not_applicable with input as {"agentPrograms": [], "forwards": []}

test_other_containers_are_not_asked_about if {
	doc := json.patch(_doc("reachable"), [{"op": "replace", "path": "/agentPrograms/0/container", "value": ""}])
	count(check.finding) == 0 with input as doc
}

test_a_container_of_a_user_says_nothing_of_the_network if {
	doc := json.patch(_doc("reachable"), [{"op": "replace", "path": "/agentPrograms/0/container", "value": "dev of uid 1001"}])
	count(check.finding) == 0 with input as doc
}
