package ringfence.windows.rules_differ_from_filters_test

import data.ringfence.windows.rules_differ_from_filters as check

_doc(registry, verdict) := {"windowsFilters": [], "windowsListeners": [{
	"key": "tcp 0.0.0.0:1 (x)", "registry": registry,
	"reach": {"workload": {
		"verdict": verdict, "origin": "vEthernet (WSL)", "local": false, "witness": "w", "because": ["b"], "stoppedBy": [], "restricted": false,
	}},
}]}

test_open_fails if {
	some f in check.finding with input as _doc({"workload": "unreachable"}, "reachable")
	f.severity == "medium"
}

test_shut_is_info if {
	some f in check.finding with input as _doc({"workload": "reachable"}, "unreachable")
	f.severity == "info"
}

test_same_passes if {
	count(check.finding) == 0 with input as _doc({}, "unreachable")
	count(check.unknown) == 0 with input as _doc({}, "unreachable")
}

test_unknown_is_no_pass if count(check.unknown) == 1 with input as _doc({}, "unknown")

test_a_filter_alone_fails if {
	d := {"about": "let in tcp 5985 on the public profile", "held": ["x"], "onlyHeld": ["10.0.0.0-10.0.0.255"]}
	some f in check.finding with input as {"windowsListeners": [], "windowsFilters": [d]}
	contains(f.evidence[0], "10.0.0.0")
}

test_an_unsure_one_is_unknown if {
	d := {"about": "a", "held": ["x"], "onlyHeld": ["10.0.0.0-10.0.0.255"], "unsure": true}
	count(check.finding) == 0 with input as {"windowsListeners": [], "windowsFilters": [d]}
	count(check.unknown) == 1 with input as {"windowsListeners": [], "windowsFilters": [d]}
}
