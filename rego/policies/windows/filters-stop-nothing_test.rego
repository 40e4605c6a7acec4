package ringfence.windows.filters_stop_nothing_test

import data.ringfence.windows.filters_stop_nothing as check

test_boot_alone_fails if count(check.finding) == 1 with input as {"windowsEngine": {"unblocked": [], "boot": true, "half": [], "unsure": []}}

test_a_profile_fails if count(check.finding) == 1 with input as {"windowsEngine": {"unblocked": ["public"], "boot": false, "half": [], "unsure": []}}

test_blocked_passes if count(check.finding) == 0 with input as {"windowsEngine": {"unblocked": [], "boot": false, "half": [], "unsure": []}}

test_half_fails if {
	some f in check.finding with input as {"windowsEngine": {"unblocked": [], "boot": false, "half": ["public over IPv6"], "unsure": []}}
	f.resource.key == "filters of the public profile over IPv6"
}

test_an_interface_of_no_profile_is_unknown if {
	count(check.unknown) == 1 with input as {"windowsEngine": {"unblocked": [], "boot": false, "half": [], "unsure": ["Ethernet"]}}
}
