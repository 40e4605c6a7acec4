package ringfence.management.winrm_reachable_test

import data.ringfence.management.winrm_reachable as check

_svc(verdict) := {
	"key": "tcp 0.0.0.0:1 (x)", "proto": "tcp", "port": 1, "class": "winrm", "gives": "root on the host", "ownerKnown": true, "owner": "x",
	"reach": {"workload": {
		"verdict": verdict, "origin": "eth9", "local": false, "witness": "w", "because": ["b"],
		"stoppedBy": [], "restricted": false,
	}},
}

test_fails_when_reachable if count(check.finding) == 1 with input as {"services": [_svc("reachable")]}

test_passes_when_unreachable if {
	count(check.finding) == 0 with input as {"services": [_svc("unreachable")]}
	count(check.unknown) == 0 with input as {"services": [_svc("unreachable")]}
}

test_unknown_is_no_pass if count(check.unknown) == 1 with input as {"services": [_svc("unknown")]}

test_a_users_is_not_critical if {
	some f in check.finding with input as {"services": [object.union(_svc("reachable"), {"gives": "uid 1001"})]}
	f.severity == "medium"
}

# What a container has in its own network namespace leaves nothing open about the host; what root has in one does.
test_unknown_of_a_container_is_its_own if {
	svc := object.union(_svc("unknown"), {"namespace": "container web", "gives": "container web"})
	count(check.unknown) == 0 with input as {"services": [svc]}
}

test_unknown_of_root_in_another_namespace_is_unknown if {
	svc := object.union(_svc("unknown"), {"namespace": "vpn", "gives": "root on the host"})
	count(check.unknown) == 1 with input as {"services": [svc]}
}

# Whether a guest serves the port that a socket leads to is not seen.
test_a_guests_is_not_critical if {
	some f in check.finding with input as {"services": [object.union(_svc("reachable"), {"gives": "a guest", "guestPort": 5985})]}
	f.severity == "medium"
	contains(f.message, "if it serves that")
}
