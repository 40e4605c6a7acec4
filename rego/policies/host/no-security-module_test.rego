package ringfence.host.no_security_module_test

import data.ringfence.host.no_security_module as check

_doc(facts) := {"kernel": {"facts": object.union({"selinux": {"state": "absent"}, "apparmor": {"state": "absent"}, "lsm": {"state": "absent"}}, facts)}, "workloads": []}

_lsm(list) := {"lsm": {"state": "present", "value": list}}

test_none_fails if {f.severity | some f in check.finding} == {"low"} with input as _doc(_lsm("lockdown,capability,yama"))

test_with_workloads_is_medium if {
	doc := object.union(_doc(_lsm("capability")), {"workloads": [{"hostUser": true}]})
	{f.severity | some f in check.finding} == {"medium"} with input as doc
}

test_permissive_fails if count(check.finding) == 1 with input as _doc(object.union(_lsm("capability,selinux"), {"selinux": {"state": "present", "value": "0"}}))

test_without_profiles_fails if count(check.finding) == 1 with input as _doc(object.union(_lsm("capability,apparmor"), {"apparmor": {"state": "present", "value": ""}}))

test_enforcing_passes if {
	count(check.finding) == 0 with input as _doc({"selinux": {"state": "present", "value": "1"}})
	count(check.finding) == 0 with input as _doc(object.union(_lsm("capability,apparmor"), {"apparmor": {"state": "present", "value": "docker-default (enforce)"}}))
}

test_unread_is_unknown if {
	count(check.unknown) == 1 with input as _doc({"lsm": {"state": "error"}, "apparmor": {"state": "error"}})
	count(check.unknown) == 1 with input as _doc(object.union(_lsm("capability,apparmor"), {"apparmor": {"state": "denied"}}))
}
