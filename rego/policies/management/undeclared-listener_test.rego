package ringfence.management.undeclared_listener_test

import data.ringfence.management.undeclared_listener as check

_doc(svc) := {"managed": [], "services": [object.union(
	{
		"key": "tcp 0.0.0.0:4444 (nc)", "proto": "tcp", "port": 4444, "owner": "nc", "class": "other", "namespace": "", "loopback": false, "wildcard": true,
		"gives": "root on the host", "reach": {"external": {"verdict": "reachable", "origin": "eth0", "local": false, "witness": "in eth0 ...", "because": [], "stoppedBy": []}},
	},
	svc,
)]}

test_undeclared_is_low_without_a_list if {f.severity | some f in check.finding} == {"low"} with input as _doc({})

test_undeclared_is_medium_beside_a_list if {
	{f.severity | some f in check.finding} == {"medium"} with input as _doc({}) with data.params as {"expected": ["tcp/443"]}
}

test_declared_passes if {
	count(check.finding) == 0 with input as _doc({}) with data.params as {"expected": ["tcp/4444"]}
	count(check.finding) == 0 with input as _doc({}) with data.params as {"expected": ["tcp/4444/nc"]}
	count(check.finding) == 1 with input as _doc({}) with data.params as {"expected": ["tcp/4444/nginx", "udp/4444"]}
}

test_answers_are_no_services if {
	count(check.finding) == 0 with input as _doc({"proto": "udp", "port": 40000})
	count(check.finding) == 0 with input as _doc({"proto": "udp", "port": 68})
	count(check.finding) == 1 with input as _doc({"proto": "tcp", "port": 40000})
}

test_what_others_judge_is_left_to_them if count(check.finding) == 0 with input as _doc({"class": "ssh"})

test_unclear_is_unknown if {
	doc := json.patch(_doc({}), [{"op": "replace", "path": "/services/0/reach/external/verdict", "value": "unknown"}])
	count(check.unknown) == 1 with input as doc
}

test_a_fix_closes_only_beside_a_list if {
	without := {m.kind | some f in check.finding; some m in f.remediation} with input as _doc({})
	without == {"words", "config"}
	listed := {m.kind | some f in check.finding; some m in f.remediation} with input as _doc({}) with data.params as {"expected": ["tcp/443"]}
	listed == {"nft", "config"}
}

test_what_has_a_role_is_told_elsewhere if {
	doc := object.union(_doc({}), {"managed": [{"role": "debug", "services": _doc({}).services}]})
	count(check.finding) == 0 with input as doc
}

test_sockets_of_a_program_are_one_finding if {
	one := _doc({}).services[0]
	services := [one, object.union(one, {"key": "udp [::]:4445 (nc)", "proto": "udp", "port": 4445}), object.union(one, {"key": "tcp 0.0.0.0:1 (x)", "port": 1, "owner": "x"})]
	found := check.finding with input as {"managed": [], "services": services}
	{f.resource.key | some f in found} == {"nc", "x"}
	some f in found
	startswith(f.message, "nc (tcp 4444, udp 4445) listens")
	listed := check.finding with input as {"managed": [], "services": services} with data.params as {"expected": ["tcp/1"]}
	count(listed) == 2
}

# A name is anybody's word: whoever is waived by it is root's own program.
test_a_user_is_not_in_the_finding_of_root if {
	one := _doc({}).services[0]
	services := [one, object.union(one, {"key": "tcp 0.0.0.0:4446 (nc)", "port": 4446, "gives": "uid 1001"})]
	found := check.finding with input as {"managed": [], "services": services}
	{f.resource.key | some f in found} == {"nc", "nc of uid 1001"}
}

test_what_nobody_is_seen_to_have_is_told_alone if {
	one := _doc({"owner": "unknown", "key": "tcp 0.0.0.0:1 (unknown)"}).services[0]
	found := check.finding with input as {"managed": [], "services": [one, object.union(one, {"key": "tcp 0.0.0.0:2 (unknown)", "port": 2})]}
	{f.resource.key | some f in found} == {"tcp 0.0.0.0:1 (unknown)", "tcp 0.0.0.0:2 (unknown)"}
}

test_what_is_dropped_is_all_of_it if {
	one := _doc({}).services[0]
	more := object.union(one, {"key": "tcp 0.0.0.0:4446 (nc)", "port": 4446, "reach": {"workload": one.reach.external}})
	found := check.finding with input as {"managed": [], "services": [one, more]}
	count(found) == 2
	{m.text | some f in found; some m in f.remediation; m.kind == "words"} == {concat(" ", [
		"stop it, bind it to the address that needs it,",
		"or drop tcp port 4444, tcp port 4446 from the external and workload zones",
	])}
}
