package ringfence.windows.localsubnet_wide_test

import data.ringfence.windows.localsubnet_wide as check

_doc(changes) := {
	"windowsNetworks": [object.union({"name": "VPN", "kind": "vpn", "widest": 0, "known": true, "profile": "public"}, changes)],
	"windowsRules": [{"id": "FPS-SMB-In-TCP", "profiles": ["public"]}],
}

test_wide_fails if count(check.finding) == 1 with input as _doc({})

test_narrow_passes if count(check.finding) == 0 with input as _doc({"widest": 24})

test_another_profile_passes if count(check.finding) == 0 with input as _doc({"profile": "private"})

test_loopback_passes if count(check.finding) == 0 with input as _doc({"kind": "loopback", "widest": 8})

test_unread_profile_is_unknown if count(check.unknown) == 1 with input as _doc({"known": false})
