package ringfence.windows.localsubnet_wide_test

import data.ringfence.windows.localsubnet_wide as check

_doc(changes) := {
	"windowsNetworks": [object.union({"name": "VPN", "kind": "vpn", "addrs": ["10.8.0.2/0"], "widest": 0, "linked": 32, "told": true, "known": true, "profile": "public"}, changes)],
	"windowsRules": [{"id": "FPS-SMB-In-TCP", "profiles": ["public"]}],
}

test_wide_fails if count(check.finding) == 1 with input as _doc({})

test_narrow_passes if count(check.finding) == 0 with input as _doc({"widest": 24})

test_another_profile_passes if count(check.finding) == 0 with input as _doc({"profile": "private"})

test_loopback_passes if count(check.finding) == 0 with input as _doc({"kind": "loopback", "widest": 8})

test_unread_profile_is_unknown if count(check.unknown) == 1 with input as _doc({"known": false})

test_a_wide_route_to_the_link_is_unknown if {
	count(check.unknown) == 1 with input as _doc({"widest": 32, "linked": 0})
	count(check.finding) == 0 with input as _doc({"widest": 32, "linked": 0})
	count(check.unknown) == 0 with input as _doc({"widest": 32, "linked": 24})
	count(check.unknown) == 0 with input as _doc({"widest": 32, "linked": 0, "profile": "private"})
}

test_untold_routes_are_unknown if {
	count(check.unknown) == 1 with input as _doc({"widest": 32, "told": false})
	count(check.unknown) == 1 with input as _doc({"widest": 32, "linked": 0, "told": false})
	count(check.unknown) == 0 with input as _doc({"told": false})
	count(check.unknown) == 0 with input as _doc({"widest": 32, "told": false, "kind": "loopback"})
	count(check.unknown) == 0 with input as _doc({"widest": 32, "told": false, "addrs": []})
}
