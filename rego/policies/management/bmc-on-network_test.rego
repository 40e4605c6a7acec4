package ringfence.management.bmc_on_network_test

import data.ringfence.management.bmc_on_network as check

_doc(mode) := {"ipmi": {"devices": [], "smbios": {"state": "present"}, "bmc": {"lanChannel": 1, "accessMode": mode, "address": "10.9.9.9"}}}

test_always_fails if count(check.finding) == 1 with input as _doc("always")

test_disabled_passes if {
	count(check.finding) == 0 with input as _doc("disabled")
	count(check.unknown) == 0 with input as _doc("disabled")
}

test_unsaid_is_unknown if count(check.unknown) == 1 with input as _doc("")

test_without_one_it_does_not_apply if check.not_applicable with input as {"ipmi": {"smbios": {"state": "absent"}, "devices": []}}
