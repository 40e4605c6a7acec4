package ringfence.management.data_server_asks_nobody_test

import data.ringfence.management.data_server_asks_nobody as check

_svc(zone, verdict, local) := {
	"key": "tcp 0.0.0.0:6379 (x)", "proto": "tcp", "port": 6379, "loopback": local, "namespace": "", "gives": "uid 107", "owner": "x",
	"reach": {zone: {"verdict": verdict, "origin": "eth0", "local": local, "witness": "in eth0 ...", "because": ["x"], "stoppedBy": []}},
}

_doc(role, settings, svc) := {"managed": [{
	"key": "Redis", "name": "Redis", "role": role, "evidence": "it runs the program x", "container": "", "host": false, "lesser": false,
	"settings": {k: {"state": "present", "value": v} | some k, v in settings}, "services": [svc],
}]}

_all := {"login": "none", "gives": "reads and writes all", "how": "x"}

test_everybody_is_high if {f.severity | some f in check.finding} == {"high"} with input as _doc("data", _all, _svc("external", "reachable", false))

test_ftp_counts_too if {f.severity | some f in check.finding} == {"high"} with input as _doc("cleartext", _all, _svc("external", "reachable", false))

test_reading_is_medium if {
	{f.severity | some f in check.finding} == {"medium"} with input as _doc("data", {"login": "none", "gives": "reads the files of /x"}, _svc("external", "reachable", false))
}

test_some_addresses_are_medium if {
	{f.severity | some f in check.finding} == {"medium"} with input as _doc("data", object.union(_all, {"login": "addresses"}), _svc("external", "reachable", false))
}

test_the_host_itself_is_low if {
	every login in ["none", "loopback"] {
		{f.severity | some f in check.finding} == {"low"} with input as _doc("data", object.union(_all, {"login": login}), _svc("workload", "reachable", true))
	}
}

test_who_asks_passes if {
	every login in ["asks", "loopback"] {
		count(check.finding) == 0 with input as _doc("data", object.union(_all, {"login": login}), _svc("external", "reachable", false))
		count(check.unknown) == 0 with input as _doc("data", object.union(_all, {"login": login}), _svc("external", "reachable", false))
	}
}

test_unread_is_unknown if {
	count(check.unknown) == 1 with input as _doc("data", {}, _svc("external", "reachable", false))
	count(check.unknown) == 0 with input as _doc("data", {}, _svc("external", "unreachable", false))
	count(check.unknown) == 0 with input as _doc("cleartext", {}, _svc("external", "reachable", false))
}

test_unclear_is_unknown if count(check.unknown) == 1 with input as _doc("data", _all, _svc("external", "unknown", false))

# What is closed of a server makes no other server of what is left, nor does a port that the kernel gave it this time.
test_the_key_is_that_of_the_server if {
	svc := _svc("external", "reachable", false)
	closed := object.union(_svc("external", "unreachable", false), {"port": 6380})
	given := object.union(svc, {"port": 40123})
	keys := {f.resource.key |
		some list in [[svc, closed], [svc, object.union(svc, {"port": 6380})], [svc, closed, given], [closed, _svc("workload", "reachable", true)]]
		some f in check.finding with input as object.union(_doc("data", _all, svc), {"managed": [object.union(_doc("data", _all, svc).managed[0], {"services": list})]})
	}
	keys == {"Redis (tcp 6379, tcp 6380)"}
}

test_the_key_of_given_ports_alone if {
	{f.resource.key | some f in check.finding} == {"Redis (tcp 40123)"} with input as _doc("data", _all, object.union(_svc("external", "reachable", false), {"port": 40123}))
}
