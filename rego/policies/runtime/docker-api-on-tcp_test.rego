package ringfence.runtime.docker_api_on_tcp_test

import data.ringfence.runtime.docker_api_on_tcp as check

_svc(tls, loopback, verdict) := {
	"key": "tcp 0.0.0.0:2375 (dockerd)", "proto": "tcp", "port": 2375, "class": "runtime-api", "gives": "root on the host",
	"tlsVerify": tls, "owner": "x", "loopback": loopback, "reach": {"workload": {
		"verdict": verdict, "origin": "docker0", "local": false, "witness": "w", "because": [], "stoppedBy": [],
	}},
}

test_reachable_is_critical if {
	some f in check.finding with input as {"services": [_svc("false", false, "reachable")]}
	f.severity == "critical"
}

test_local_reach_is_medium if {
	some f in check.finding with input as {"services": [_svc("false", true, "unreachable")]}
	f.severity == "medium"
}

# What is in the host's own network namespace is not everybody, and how it gets there comes before how others do not.
test_who_reaches_it if {
	near := {"verdict": "reachable", "origin": "local", "local": true, "witness": "n", "because": [], "stoppedBy": []}
	far := object.union(near, {"origin": "eth0", "local": false, "witness": "f"})
	shut := object.union(far, {"verdict": "unreachable", "stoppedBy": ["rule"]})
	every whom, reach in {
		"to workloads in the host's own network namespace": {"external": shut, "workload": near},
		"to everybody in the zone external, and to workloads in the host's own network namespace": {"external": far, "workload": near},
		"to everybody in the zones external and workload": {"external": far, "workload": far},
	} {
		some f in check.finding with input as {"services": [object.union(_svc("false", false, ""), {"reach": reach})]}
		endswith(f.message, whom)
		startswith(f.evidence[1], "reachable on ")
	}
}

test_unknown_reach_is_unknown if {
	count(check.unknown) == 1 with input as {"services": [_svc("false", false, "unknown")]}
	count(check.unknown) == 0 with input as {"services": [_svc("false", true, "unreachable")]}
}

test_client_certificates_pass if count(check.finding) == 0 with input as {"services": [_svc("true", false, "reachable")]}

test_unseen_tls_on_its_port_is_unknown if {
	svc := object.union(_svc("unknown", false, "reachable"), {"port": 2376})
	count(check.unknown) == 1 with input as {"services": [svc]}
	count(check.finding) == 0 with input as {"services": [svc]}
}

test_a_users_gives_the_user if {
	svc := object.union(_svc("false", false, "reachable"), {"gives": "uid 1001"})
	some f in check.finding with input as {"services": [svc]}
	f.severity == "medium"
	contains(f.message, "gives uid 1001 to everybody")
}

# What a container has in its own network namespace leaves nothing open about the host; what root has in one does.
test_unknown_of_a_container_is_its_own if {
	svc := object.union(_svc("false", false, "unknown"), {"namespace": "container web"})
	count(check.unknown) == 0 with input as {"services": [object.union(svc, {"gives": "container web"})]}
	count(check.unknown) == 1 with input as {"services": [svc]}
}

test_unseen_tls_of_a_container_is_its_own if {
	svc := object.union(_svc("unknown", false, "reachable"), {"port": 2376, "namespace": "container web"})
	count(check.unknown) == 0 with input as {"services": [object.union(svc, {"gives": "container web"})]}
	count(check.unknown) == 1 with input as {"services": [svc]}
}

test_daemon_that_was_not_read_is_unknown if {
	svc := object.union(_svc("unknown", false, "reachable"), {"owner": "containerd", "port": 43833})
	count(check.unknown) == 1 with input as {"services": [svc]}
	count(check.finding) == 0 with input as {"services": [svc]}
}

test_proxy_whose_files_were_not_read_is_unknown if {
	svc := object.union(_svc("unknown", false, "reachable"), {"owner": "nginx", "port": 80, "leads": "?"})
	some u in check.unknown with input as {"services": [svc]}
	contains(u.reason, "files were not read")
	count(check.finding) == 0 with input as {"services": [svc]}
}
