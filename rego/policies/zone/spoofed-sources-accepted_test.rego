package ringfence.zone.spoofed_sources_accepted_test

import data.ringfence.zone.spoofed_sources_accepted as check

_doc(all, own) := {
	"interfaces": [{"name": "docker0", "zone": "workload", "inert": false, "addrs": ["172.17.0.1/16"]}],
	"sysctls": {
		"net.ipv4.conf.all.rp_filter": {"state": "present", "value": all},
		"net.ipv4.conf.docker0.rp_filter": {"state": "present", "value": own},
	},
}

test_off_fails if count(check.finding) == 1 with input as _doc("0", "0")

test_either_is_enough if {
	count(check.finding) == 0 with input as _doc("1", "0")
	count(check.finding) == 0 with input as _doc("0", "2")
}

test_unread_is_unknown if {
	doc := json.patch(_doc("0", "0"), [{"op": "add", "path": "/sysctls/net.ipv4.conf.all.rp_filter", "value": {"state": "denied", "value": ""}}])
	count(check.unknown) == 1 with input as doc
	count(check.finding) == 0 with input as doc
}

test_without_workloads_it_does_not_apply if check.not_applicable with input as {"interfaces": [], "sysctls": {}}
