package ringfence.runtime.docker_protection_off_test

import data.ringfence.runtime.docker_protection_off as check

_doc(change) := {"dockerDaemons": {"unread": "", "list": [object.union(
	{
		"pid": 7, "uid": 0, "file": "/etc/docker/daemon.json", "read": {"state": "present"}, "icc": true, "noNewPrivileges": false, "iptables": true,
	},
	change,
)]}}

test_defaults_pass if count(check.finding) + count(check.unknown) == 0 with input as _doc({})

test_no_filter_is_high if {
	some f in check.finding with input as _doc({"seccomp": "unconfined"})
	f.severity == "high"
}

test_a_profile_of_its_own_passes if count(check.finding) == 0 with input as _doc({"seccomp": "/etc/docker/p.json"})

test_no_rules_is_medium if {
	some f in check.finding with input as _doc({"iptables": false})
	f.severity == "medium"
}

test_rootless_needs_none if count(check.finding) == 0 with input as _doc({"iptables": false, "uid": 1000})

test_unread_is_unknown if count(check.unknown) == 1 with input as _doc({"read": {"state": "error", "reason": "changed"}})
