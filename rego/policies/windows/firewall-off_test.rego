package ringfence.windows.firewall_off_test

import data.ringfence.windows.firewall_off as check

_doc(on, active, doubt) := {"windowsProfiles": [{"profile": "public", "on": on, "active": active, "doubt": doubt, "disabled": [], "policy": []}]}

test_off_fails if count(check.finding) == 1 with input as _doc(false, ["Ethernet"], "")

test_off_where_nothing_is_passes if count(check.finding) == 0 with input as _doc(false, [], "")

test_on_passes if {
	count(check.finding) == 0 with input as _doc(true, ["Ethernet"], "")
	count(check.unknown) == 0 with input as _doc(true, ["Ethernet"], "")
}

test_doubt_is_unknown if count(check.unknown) == 1 with input as _doc(false, ["Ethernet"], "d")

test_left_out_fails if {
	count(check.finding) == 1 with input as {"windowsProfiles": [{
		"profile": "public", "on": true, "active": ["Ethernet"], "doubt": "", "disabled": ["Ethernet"], "policy": [],
	}]}
}

test_what_a_policy_sets_is_changed_there if {
	some f in check.finding with input as {"windowsProfiles": [{
		"profile": "domain", "on": false, "active": ["Ethernet"], "doubt": "", "disabled": [], "policy": ["EnableFirewall"],
	}]}
	f.remediation == [{"kind": "words", "text": "set EnableFirewall of the domain profile to 1 in the policy that sets it, which wins over what is set on the host"}]
}
