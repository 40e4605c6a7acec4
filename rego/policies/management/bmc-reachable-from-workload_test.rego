package ringfence.management.bmc_reachable_from_workload_test

import data.ringfence.management.bmc_reachable_from_workload as check

_way(from, service, verdict) := {"from": from, "address": "10.0.0.9", "service": service, "reach": {
	"verdict": verdict, "origin": from, "local": false, "witness": "w", "because": ["b"], "stoppedBy": [], "restricted": false,
}}

_doc(ways) := {"ipmi": {"devices": [], "smbios": {"state": "present"}, "bmc": {"lanChannel": 1, "address": "10.0.0.9"}}, "bmcWays": ways}

test_by_forwarding_fails if {
	some f in check.finding with input as _doc([_way("docker0", "udp 623", "reachable"), _way("docker0", "tcp 443", "reachable")])
	contains(f.message, "udp 623, tcp 443")
}

test_one_service_is_enough if {
	count(check.finding) == 1 with input as _doc([_way("docker0", "udp 623", "unreachable"), _way("docker0", "tcp 443", "reachable")])
}

test_stopped_passes if {
	count(check.finding) == 0 with input as _doc([_way("docker0", "udp 623", "unreachable")])
	count(check.unknown) == 0 with input as _doc([_way("docker0", "udp 623", "unreachable")])
	not check.not_applicable with input as _doc([_way("docker0", "udp 623", "unreachable")])
}

test_unknown_is_no_pass if count(check.unknown) == 1 with input as _doc([_way("docker0", "udp 623", "unknown")])

test_untold_address_is_unknown if {
	doc := {"ipmi": {"devices": [], "smbios": {"state": "present"}, "bmc": {"lanChannel": 1}}, "bmcWays": []}
	count(check.unknown) == 1 with input as doc
	not check.not_applicable with input as doc
}

test_unasked_is_unknown if count(check.unknown) == 1 with input as {"ipmi": {"devices": [], "smbios": {"state": "present"}}, "bmcWays": []}

test_without_a_bmc if check.not_applicable with input as {"ipmi": {"devices": [], "smbios": {"state": "absent"}}, "bmcWays": []}

_at(address, mode) := {"ipmi": {"devices": [], "smbios": {"state": "present"}, "bmc": {"lanChannel": 1, "address": address, "accessMode": mode}}, "bmcWays": []}

test_an_address_that_is_none_is_unknown if {
	every a in ["10.0.0", "10.0.0.9/24", "bmc", "10.0.0.256"] {
		count(check.unknown) == 1 with input as _at(a, "always")
		not check.not_applicable with input as _at(a, "always")
	}
}

test_each_reason_not_to_apply_is_told if {
	check.not_applicable == "the LAN channel of the BMC is off" with input as _at("10.0.0.9", "disabled")
	check.not_applicable == "the BMC has no address" with input as _at("0.0.0.0", "always")
	check.not_applicable == "no workloads are attached" with input as _at("10.0.0.9", "always")
}
