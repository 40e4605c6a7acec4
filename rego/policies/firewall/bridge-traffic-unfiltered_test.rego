package ringfence.firewall.bridge_traffic_unfiltered_test

import data.ringfence.firewall.bridge_traffic_unfiltered as check

_bridge(ports, state, chains) := {"bridges": [{
	"name": "docker0", "zone": "workload", "ports": ports, "calls": {"ipv4": state, "ipv6": state}, "chains": chains,
}]}

test_two_workloads_without_a_filter_fail if count(check.finding) == 1 with input as _bridge(["a", "b"], "off", [])

test_absent_br_netfilter_fails if count(check.finding) == 1 with input as _bridge(["a", "b"], "absent", [])

test_br_netfilter_passes if count(check.finding) == 0 with input as _bridge(["a", "b"], "on", [])

test_bridge_chain_passes if count(check.finding) == 0 with input as _bridge(["a", "b"], "off", ["bridge f/c"])

test_one_workload_does_not_apply if check.not_applicable with input as _bridge(["a"], "off", [])

test_unread_switch_is_no_pass if count(check.unknown) == 1 with input as _bridge(["a", "b"], "unknown", [])
