package ringfence.runtime.docker_daemon_not_hardened_test

import data.ringfence.runtime.docker_daemon_not_hardened as check

_doc(change) := {"dockerDaemons": {"unread": "", "list": [object.union(
	{
		"pid": 7, "uid": 0, "file": "/etc/docker/daemon.json", "read": {"state": "present"}, "icc": true, "noNewPrivileges": false, "iptables": true,
	},
	change,
)]}}

test_defaults_fail if count(check.finding) == 1 with input as _doc({})

test_one_of_them_passes if {
	every change in [{"icc": false}, {"noNewPrivileges": true}, {"usernsRemap": "default"}, {"uid": 1000}] {
		count(check.finding) == 0 with input as _doc(change)
	}
}

test_unread_is_unknown if {
	count(check.finding) == 0 with input as _doc({"read": {"state": "error", "reason": "changed"}})
	count(check.unknown) == 1 with input as _doc({"read": {"state": "error", "reason": "changed"}})
}
