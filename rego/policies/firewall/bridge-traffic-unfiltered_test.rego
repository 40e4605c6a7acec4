package ringfence.firewall.bridge_traffic_unfiltered_test

import data.ringfence.firewall.bridge_traffic_unfiltered as check

_bridge(ports, state, between) := {"bridges": [{
	"name": "docker0", "zone": "workload", "ports": ports, "calls": {"ipv4": state, "ipv6": state},
	"between": {"ipv4": between, "ipv6": between},
}]}

_one_family := {"bridges": [{
	"name": "docker0", "zone": "workload", "ports": ["a", "b"], "calls": {"ipv4": "off", "ipv6": "off"},
	"between": {"ipv4": "filtered", "ipv6": "open"},
}]}

test_two_workloads_without_a_filter_fail if count(check.finding) == 1 with input as _bridge(["a", "b"], "off", "open")

test_absent_br_netfilter_fails if count(check.finding) == 1 with input as _bridge(["a", "b"], "absent", "open")

test_br_netfilter_passes if count(check.finding) == 0 with input as _bridge(["a", "b"], "on", "open")

test_bridge_chain_passes if count(check.finding) == 0 with input as _bridge(["a", "b"], "off", "filtered")

test_one_family_is_not_enough if count(check.finding) == 1 with input as _one_family

test_untold_filter_is_no_pass if count(check.unknown) == 1 with input as _bridge(["a", "b"], "off", "unknown")

test_one_workload_does_not_apply if check.not_applicable with input as _bridge(["a"], "off", "open")

test_unread_switch_is_no_pass if count(check.unknown) == 1 with input as _bridge(["a", "b"], "unknown", "open")
