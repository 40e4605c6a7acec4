package ringfence.firewall.several_services_test

import data.ringfence.firewall.several_services as check

_doc(state, enabled) := {"bootFirewalls": {"state": state, "enabled": enabled, "off": []}}

test_two_fail if count(check.finding) == 1 with input as _doc("present", ["firewalld.service", "nftables.service"])

test_one_passes if {
	count(check.finding) == 0 with input as _doc("present", ["nftables.service"])
	count(check.finding) == 0 with input as _doc("present", ["iptables.service", "ip6tables.service"])
	count(check.finding) == 0 with input as _doc("present", ["nftables.service", "ringfence-ruleset.service"])
}

test_unread_is_unknown if count(check.unknown) == 1 with input as _doc("denied", [])
