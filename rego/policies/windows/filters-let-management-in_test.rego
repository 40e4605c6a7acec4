package ringfence.windows.filters_let_management_in_test

import data.ringfence.windows.filters_let_management_in as check

_doc(changes) := {"windowsEngine": {"openings": [object.union({"service": "WinRM", "port": 5985, "family": "ipv4", "profile": "public", "remote": ["172.17.112.0-172.17.127.255"], "wide": false, "filters": ["7 x"]}, changes)]}}

test_a_network_is_medium if {
	some f in check.finding with input as _doc({})
	f.severity == "medium"
	contains(f.message, "172.17.112.0-172.17.127.255")
}

test_all_addresses_are_high if {
	some f in check.finding with input as _doc({"remote": [], "wide": true})
	f.severity == "high"
}

test_none_passes if count(check.finding) == 0 with input as {"windowsEngine": {"openings": []}}
