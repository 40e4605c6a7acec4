package ringfence.windows.rdp_reachable_test

import data.ringfence.windows.rdp_reachable as check

_doc(verdict, local) := {"windowsListeners": [{
	"key": "tcp 0.0.0.0:1 (x)", "proto": "tcp", "port": 1, "addr": "0.0.0.0", "family": 4, "class": "rdp",
	"reach": {"workload": {
		"verdict": verdict, "origin": "vEthernet (WSL)", "local": local, "witness": "w", "because": ["b"], "stoppedBy": [], "restricted": false,
	}},
}]}

test_fails_when_reachable if {
	some f in check.finding with input as _doc("reachable", false)
	f.remediation[0].deny.zone == "workload"
}

test_loopback_is_less if {
	some f in check.finding with input as _doc("reachable", true)
	f.severity == "medium"
	f.remediation[0].kind == "words"
}

test_passes_when_unreachable if {
	count(check.finding) == 0 with input as _doc("unreachable", false)
	count(check.unknown) == 0 with input as _doc("unreachable", false)
}

test_unknown_is_no_pass if count(check.unknown) == 1 with input as _doc("unknown", false)

test_nothing_listens if check.not_applicable with input as {"windowsListeners": []}
