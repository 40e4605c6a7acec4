package ringfence.management.debugger_listens_test

import data.ringfence.management.debugger_listens as check

_svc(verdict) := {
	"key": "tcp 0.0.0.0:23 (x)", "proto": "tcp", "port": 23, "loopback": false, "namespace": "", "gives": "root on the host", "owner": "x",
	"reach": {"external": {"verdict": verdict, "origin": "eth0", "local": false, "witness": "in eth0 ...", "because": ["x"], "stoppedBy": []}},
}

_doc(role, verdict) := {"managed": [{"key": "thing", "name": "thing", "role": role, "evidence": "it runs the program x", "container": "", "host": true, "lesser": false, "settings": {}, "services": [_svc(verdict)]}]}

test_reachable_is_critical if {f.severity | some f in check.finding} == {"critical"} with input as _doc("debug", "reachable")

test_local_of_root_is_medium if {f.severity | some f in check.finding} == {"medium"} with input as _doc("debug", "unreachable")

test_another_role_passes if count(check.finding) == 0 with input as _doc("console", "reachable")

test_the_stub_of_a_guest_is_high if {
	doc := json.patch(_doc("debug", "reachable"), [{"op": "replace", "path": "/managed/0/name", "value": "gdb stub of QEMU"}])
	{f.severity | some f in check.finding} == {"high"} with input as doc
}
