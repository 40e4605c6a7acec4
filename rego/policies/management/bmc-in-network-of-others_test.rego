package ringfence.management.bmc_in_network_of_others_test

import data.ringfence.management.bmc_in_network_of_others as check

_doc(zone, at) := {
	"ipmi": {"devices": [], "smbios": {"state": "present"}, "bmc": {"lanChannel": 1, "address": at}},
	"interfaces": [{"name": "eth0", "zone": zone, "reason": "it has the default route", "addrs": ["203.0.113.1/24", "fe80::1/64"]}],
}

test_beside_the_host_fails if count(check.finding) == 1 with input as _doc("external", "203.0.113.7")

test_elsewhere_passes if {
	count(check.finding) == 0 with input as _doc("external", "10.9.9.9")
	count(check.finding) == 0 with input as _doc("management", "203.0.113.7")
}

test_without_an_address_it_is_unknown if count(check.unknown) == 1 with input as _doc("external", "")
