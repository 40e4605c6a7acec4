package ringfence.host.image_changed_test

import data.ringfence.host.image_changed as check

_doc(state, ro) := {"kernel": {"facts": {"ostree": {"state": state}}, "mounts": [{"path": "/usr", "fsType": "overlay", "source": "overlay", "readOnly": ro}]}}

test_unlocked_fails if count(check.finding) == 1 with input as _doc("present", false)

test_as_booted_passes if count(check.finding) == 0 with input as _doc("present", true)

test_without_an_image_it_does_not_apply if check.not_applicable with input as _doc("absent", false)

test_unread_is_unknown if count(check.unknown) == 1 with input as _doc("denied", false)
