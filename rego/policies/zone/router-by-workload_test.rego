package ringfence.zone.router_by_workload_test

import data.ringfence.zone.router_by_workload as check

_doc(ra, forwarding, off) := {
	"interfaces": [{"name": "docker0", "zone": "workload", "inert": false, "addrs": []}],
	"sysctls": {
		"net.ipv6.conf.docker0.accept_ra": {"state": "present", "value": ra},
		"net.ipv6.conf.docker0.forwarding": {"state": "present", "value": forwarding},
		"net.ipv6.conf.docker0.disable_ipv6": {"state": "present", "value": off},
	},
}

test_taken_fails if {
	count(check.finding) == 1 with input as _doc("1", "0", "0")
	count(check.finding) == 1 with input as _doc("2", "1", "0")
}

test_not_taken_passes if {
	count(check.finding) == 0 with input as _doc("0", "0", "0")
	count(check.finding) == 0 with input as _doc("1", "1", "0")
	count(check.finding) == 0 with input as _doc("2", "1", "1")
}

test_unread_is_unknown if {
	doc := json.patch(_doc("1", "0", "0"), [{"op": "remove", "path": "/sysctls/net.ipv6.conf.docker0.accept_ra"}])
	count(check.unknown) == 1 with input as doc
}
