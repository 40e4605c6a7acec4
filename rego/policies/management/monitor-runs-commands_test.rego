package ringfence.management.monitor_runs_commands_test

import data.ringfence.management.monitor_runs_commands as check

_svc(verdict) := {
	"key": "tcp 0.0.0.0:23 (x)", "proto": "tcp", "port": 23, "loopback": false, "namespace": "", "gives": "root on the host", "owner": "x",
	"reach": {"external": {"verdict": verdict, "origin": "eth0", "local": false, "witness": "in eth0 ...", "because": ["x"], "stoppedBy": []}},
}

_doc(role, verdict) := {"managed": [{"key": "thing", "name": "thing", "role": role, "evidence": "it runs the program x", "container": "", "host": true, "lesser": false, "settings": {}, "services": [_svc(verdict)]}]}

_with(settings, verdict) := {"managed": [object.union(_doc("monitor", verdict).managed[0], {"settings": settings})]}

_on := {"remoteCommands": {"state": "present", "value": "dont_blame_nrpe=1"}}

_off := {"remoteCommands": {"state": "present", "value": "no"}, "community": {"state": "present", "value": "public"}}

test_reachable_is_high if {f.severity | some f in check.finding} == {"high"} with input as _with(_on, "reachable")

test_filtered_is_medium if {f.severity | some f in check.finding} == {"medium"} with input as _with(_on, "unreachable")

test_guessed_community_counts_where_it_is_reached if {
	count(check.finding) == 1 with input as _with(_off, "reachable")
	count(check.finding) == 0 with input as _with(_off, "unreachable")
}

test_guessed_community_that_may_be_reached_is_no_pass if {
	count(check.unknown) == 1 with input as _with(_off, "unknown")
	count(check.unknown) == 0 with input as _with(_off, "unreachable")
}

test_unread_is_unknown if count(check.unknown) == 1 with input as _with({"remoteCommands": {"state": "error", "value": ""}}, "reachable")

test_subagents_have_no_community if {
	doc := json.patch(_with(_off, "reachable"), [
		{"op": "replace", "path": "/managed/0/name", "value": "snmpd"},
		{"op": "replace", "path": "/managed/0/services/0/port", "value": 199},
	])
	count(check.finding) == 0 with input as doc
}
