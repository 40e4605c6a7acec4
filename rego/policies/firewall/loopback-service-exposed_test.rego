package ringfence.firewall.loopback_service_exposed_test

import data.ringfence.firewall.loopback_service_exposed as check

_svc(loopback, verdict, local) := {"services": [{
	"key": "tcp 127.0.0.1:18789 (agent)", "proto": "tcp", "port": 18789, "loopback": loopback,
	"reach": {"workload": {"verdict": verdict, "origin": "docker0", "local": local, "witness": "w", "because": ["b"], "stoppedBy": []}},
}]}

test_reached_from_a_network_fails if count(check.finding) == 1 with input as _svc(true, "reachable", false)

test_processes_of_the_host_may if count(check.finding) == 0 with input as _svc(true, "reachable", true)

test_closed_passes if count(check.finding) == 0 with input as _svc(true, "unreachable", false)

test_unknown_is_no_pass if count(check.unknown) == 1 with input as _svc(true, "unknown", false)

test_others_do_not_apply if check.not_applicable with input as _svc(false, "reachable", false)

# What a container has in its own network namespace leaves nothing open about the host; what root has in one does.
test_unknown_of_a_container_is_its_own if {
	svc := object.union(_svc(true, "unknown", false).services[0], {"namespace": "container web"})
	count(check.unknown) == 0 with input as {"services": [object.union(svc, {"gives": "container web"})]}
	count(check.unknown) == 1 with input as {"services": [object.union(svc, {"gives": "root on the host"})]}
}

# A proxy of the host is a listener of its own, and meant.
test_a_proxy_is_no_leak if {
	every verdict in ["reachable", "unknown"] {
		svc := object.union(_svc(true, verdict, false).services[0], {"by": {"workload": {"program": "nginx"}}})
		count(check.finding) == 0 with input as {"services": [svc]}
		count(check.unknown) == 0 with input as {"services": [svc]}
	}
}
