package ringfence.management.web_shell_test

import data.ringfence.management.web_shell as check

_svc(verdict) := {
	"key": "tcp 0.0.0.0:23 (x)", "proto": "tcp", "port": 23, "loopback": false, "namespace": "", "gives": "root on the host", "owner": "x",
	"reach": {"external": {"verdict": verdict, "origin": "eth0", "local": false, "witness": "in eth0 ...", "because": ["x"], "stoppedBy": []}},
}

_doc(role, verdict) := {"managed": [{"key": "thing", "name": "thing", "role": role, "evidence": "it runs the program x", "container": "", "host": true, "lesser": false, "settings": {}, "services": [_svc(verdict)]}]}

test_reachable_is_critical if {f.severity | some f in check.finding} == {"critical"} with input as _doc("shell", "reachable")

test_local_is_medium if {f.severity | some f in check.finding} == {"medium"} with input as _doc("shell", "unreachable")

test_another_role_passes if count(check.finding) == 0 with input as _doc("console", "reachable")

_login(value) := json.patch(_doc("shell", "reachable"), [{"op": "add", "path": "/managed/0/settings/login", "value": {"state": "present", "value": value}}])

test_login_is_high if {f.severity | some f in check.finding} == {"high"} with input as _login("asks")

test_no_login_is_critical if {f.severity | some f in check.finding} == {"critical"} with input as _login("none")

test_local_login_passes if {
	doc := json.patch(_login("asks"), [{"op": "replace", "path": "/managed/0/services/0/reach/external/verdict", "value": "unreachable"}])
	count(check.finding) == 0 with input as doc
}
