package ringfence.management.ssh_reachable_from_external_test

import data.ringfence.management.ssh_reachable_from_external as check

_svc(verdict) := {
	"key": "tcp 0.0.0.0:1 (x)", "proto": "tcp", "port": 1, "class": "ssh", "ownerKnown": true, "owner": "x",
	"reach": {"external": {
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

test_an_allow_list_is_no_finding if {
	svc := json.patch(_svc("reachable"), [{"op": "replace", "path": "/reach/external/restricted", "value": true}])
	count(check.finding) == 0 with input as {"services": [svc]}
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

test_unseen_owner_in_a_users_namespace_is_the_users if {
	svc := object.union(_svc("reachable"), {"class": "other", "ownerKnown": false, "namespace": "another network namespace"})
	count(check.unknown) == 0 with input as {"services": [object.union(svc, {"gives": "uid 1001"})]}
	count(check.unknown) == 1 with input as {"services": [object.union(svc, {"gives": "root on the host"})]}
}
