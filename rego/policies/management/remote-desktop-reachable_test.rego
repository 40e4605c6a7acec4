package ringfence.management.remote_desktop_reachable_test

import data.ringfence.management.remote_desktop_reachable as check

_svc(verdict) := {
	"key": "tcp 0.0.0.0:23 (x)", "proto": "tcp", "port": 23, "loopback": false, "namespace": "", "gives": "root on the host", "owner": "x",
	"reach": {"external": {"verdict": verdict, "origin": "eth0", "local": false, "witness": "in eth0 ...", "because": ["x"], "stoppedBy": []}},
}

_doc(role, verdict) := {"managed": [{"key": "thing", "name": "thing", "role": role, "evidence": "it runs the program x", "container": "", "host": true, "lesser": false, "settings": {}, "services": [_svc(verdict)]}]}

test_reachable_fails if {f.severity | some f in check.finding} == {"high"} with input as _doc("desktop", "reachable")

test_unreachable_passes if {
	count(check.finding) == 0 with input as _doc("desktop", "unreachable")
	count(check.unknown) == 0 with input as _doc("desktop", "unreachable")
}

test_unclear_is_unknown if count(check.unknown) == 1 with input as _doc("desktop", "unknown")

test_another_role_passes if count(check.finding) == 0 with input as _doc("other", "reachable")

_login(value) := json.patch(_doc("desktop", "reachable"), [{"op": "add", "path": "/managed/0/settings/login", "value": {"state": "present", "value": value}}])

test_one_that_asks_for_nothing_is_critical if {
	{f.severity | some f in check.finding} == {"critical"} with input as _login("none")
	{f.severity | some f in check.finding} == {"high"} with input as _login("asks")
}
