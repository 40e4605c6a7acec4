package ringfence.management.ipmi_device_accessible_test

import data.ringfence.management.ipmi_device_accessible as check

_dev(mode) := {"ipmi": {"devices": [{"path": "/dev/ipmi0", "mode": mode, "uid": 0, "gid": 0}]}}

test_fails_when_world_writable if count(check.finding) == 1 with input as _dev(438)

test_passes_for_root_only if count(check.finding) == 0 with input as _dev(384)

test_fails_in_a_container if {
	doc := {"ipmi": {"devices": [{"path": "/dev/ipmi0", "mode": 384, "uid": 0, "gid": 0, "containers": ["abc"]}]}}
	count(check.finding) == 1 with input as doc
}

test_without_device_does_not_apply if check.not_applicable with input as {"ipmi": {}}
