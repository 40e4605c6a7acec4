package ringfence.firewall.published_port_bypasses_input_test

import data.ringfence.firewall.published_port_bypasses_input as check

_reach(v) := {"verdict": v, "origin": "ext0", "witness": "w", "because": ["b"], "stoppedBy": ["s"]}

_published(zone, through, input_filter) := {"published": [{
	"zone": zone, "origin": "ext0", "address": "203.0.113.1", "proto": "tcp", "ports": ["8080"],
	"reach": _reach(through), "input": _reach(input_filter),
}]}

test_past_a_closed_filter_fails if count(check.finding) == 1 with input as _published("external", "reachable", "unreachable")

test_without_a_filter_nothing_is_bypassed if count(check.finding) == 0 with input as _published("external", "reachable", "reachable")

test_management_is_not_counted if count(check.finding) == 0 with input as _published("management", "reachable", "unreachable")

test_unknown_way_is_no_pass if count(check.unknown) == 1 with input as _published("external", "unknown", "unreachable")

test_unknown_filter_is_no_pass if count(check.unknown) == 1 with input as _published("external", "reachable", "unknown")
