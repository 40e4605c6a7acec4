package ringfence.host.not_immutable_test

import data.ringfence.host.not_immutable as check

_doc(ro, verity, ostree) := {"workloads": [], "kernel": {
	"facts": {"ostree": {"state": ostree}, "lockdown": {"state": "absent"}, "secureBoot": {"state": "absent"}},
	"mounts": [{"path": "/", "fsType": "ext4", "readOnly": ro, "verity": verity}],
}}

test_writable_fails if count(check.finding) == 1 with input as _doc(false, false, "absent")

test_read_only_passes if count(check.finding) == 0 with input as _doc(true, false, "absent")

_two(root, usr) := json.patch(_doc(root, false, "absent"), [{"op": "add", "path": "/kernel/mounts/-", "value": {"path": "/usr", "fsType": "ext4", "readOnly": usr, "verity": false}}])

test_a_mount_over_it_decides if {
	count(check.finding) == 1 with input as _two(true, false)
	count(check.finding) == 0 with input as _two(false, true)
	count(check.finding) == 1 with input as json.patch(_two(true, false), [{"op": "replace", "path": "/kernel/mounts/0/verity", "value": true}])
	count(check.finding) == 1 with input as json.patch(_two(true, true), [{"op": "add", "path": "/kernel/mounts/-", "value": {"path": "/usr", "fsType": "tmpfs", "readOnly": false, "verity": false}}])
}

test_ostree_passes if count(check.finding) == 0 with input as _doc(false, false, "present")

test_no_mount_is_unknown if {
	doc := {"kernel": {"facts": {"ostree": {"state": "absent"}}, "mounts": []}}
	count(check.unknown) == 1 with input as doc
}

test_beside_workloads_is_medium if {
	doc := object.union(_doc(false, false, "absent"), {"workloads": [{"key": "container a"}]})
	{f.severity | some f in check.finding} == {"medium"} with input as doc
	{f.severity | some f in check.finding} == {"low"} with input as _doc(false, false, "absent")
}
