package ringfence.management.cleartext_protocol_test

import data.ringfence.management.cleartext_protocol as check

_svc(verdict) := {
	"key": "tcp 0.0.0.0:23 (x)", "proto": "tcp", "port": 23, "loopback": false, "namespace": "", "gives": "root on the host", "owner": "x",
	"reach": {"external": {"verdict": verdict, "origin": "eth0", "local": false, "witness": "in eth0 ...", "because": ["x"], "stoppedBy": []}},
}

_doc(role, verdict) := {"managed": [{"key": "thing", "name": "thing", "role": role, "evidence": "it runs the program x", "container": "", "host": true, "lesser": false, "settings": {}, "services": [_svc(verdict)]}]}

test_reachable_fails if {f.severity | some f in check.finding} == {"high"} with input as _doc("cleartext", "reachable")

test_unreachable_passes if {
	count(check.finding) == 0 with input as _doc("cleartext", "unreachable")
	count(check.unknown) == 0 with input as _doc("cleartext", "unreachable")
}

test_unclear_is_unknown if count(check.unknown) == 1 with input as _doc("cleartext", "unknown")

test_another_role_passes if count(check.finding) == 0 with input as _doc("other", "reachable")

_ftp(how) := json.patch(_doc("cleartext", "reachable"), [{"op": "add", "path": "/managed/0/settings", "value": {
	"login": {"state": "present", "value": "asks"}, "how": {"state": "present", "value": how},
}}])

test_ftp_without_tls_fails if count(check.finding) == 1 with input as _ftp("logins of accounts without TLS")

test_ftp_by_tls_or_without_accounts_passes if {
	every how in ["logins of accounts by TLS alone", "no accounts"] {
		count(check.finding) == 0 with input as _ftp(how)
		count(check.unknown) == 0 with input as _ftp(how)
	}
}

test_unread_ftp_is_unknown if {
	doc := json.patch(_doc("cleartext", "reachable"), [{"op": "add", "path": "/managed/0/settings/login", "value": {"state": "error", "reason": "y"}}])
	count(check.finding) == 0 with input as doc
	count(check.unknown) == 1 with input as doc
}
