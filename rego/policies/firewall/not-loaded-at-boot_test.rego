package ringfence.firewall.not_loaded_at_boot_test

import data.ringfence.firewall.not_loaded_at_boot as check

_doc(state, enabled, verdict) := {
	"bootFirewalls": {"state": state, "enabled": enabled, "off": []},
	"firewall": {"inputChains": ["inet filter/input"], "input": [{"zone": "external", "reach": {"verdict": verdict}}]},
}

test_nothing_loads_it_fails if count(check.finding) == 1 with input as _doc("present", [], "unreachable")

test_loaded_at_boot_passes if count(check.finding) == 0 with input as _doc("present", ["nftables.service"], "unreachable")

test_an_open_host_does_not_apply if check.not_applicable with input as _doc("present", [], "reachable")

test_without_systemd_is_unknown if count(check.unknown) == 1 with input as _doc("absent", [], "unreachable")

test_unclear_is_unknown if count(check.unknown) == 1 with input as _doc("present", [], "unknown")

test_without_rules_it_does_not_apply if {
	doc := json.patch(_doc("present", [], "unreachable"), [{"op": "replace", "path": "/firewall/inputChains", "value": []}])
	check.not_applicable with input as doc
	count(check.finding) == 0 with input as doc
}

test_the_rules_of_a_fix_are_loaded_by_their_own_unit if {
	doc := json.patch(_doc("present", [], "unreachable"), [{"op": "replace", "path": "/firewall/inputChains", "value": ["inet filter/input", "inet ringfence/input"]}])
	count(check.finding) == 0 with input as doc
	check.not_applicable with input as doc
}
