package ringfence.management.remote_control_agent_test

import data.ringfence.management.remote_control_agent as check

_svc(verdict) := {
	"key": "tcp 0.0.0.0:23 (x)", "proto": "tcp", "port": 23, "loopback": false, "namespace": "", "gives": "root on the host", "owner": "x",
	"reach": {"external": {"verdict": verdict, "origin": "eth0", "local": false, "witness": "in eth0 ...", "because": ["x"], "stoppedBy": []}},
}

_doc(role, verdict) := {"managed": [{"key": "thing", "name": "thing", "role": role, "evidence": "it runs the program x", "container": "", "host": true, "lesser": false, "settings": {}, "services": [_svc(verdict)]}]}

_agent(name) := {"managed": [object.union(_doc("remote", "unreachable").managed[0], {"name": name, "key": name})]}

test_agent_is_low if {f.severity | some f in check.finding} == {"low"} with input as _agent("TeamViewer")

test_shared_terminal_is_medium if {f.severity | some f in check.finding} == {"medium"} with input as _agent("tmate")

test_declared_passes if count(check.finding) == 0 with input as _agent("TeamViewer") with data.params as {"remoteControl": ["TeamViewer"]}
