package ringfence.firewall.shadowed_rule_test

import data.ringfence.firewall.shadowed_rule as check

_rule(contrary) := {"shadowedRules": [{"key": "inet f/i: x", "rule": "inet f/i#5 x", "by": "inet f/i#3 y", "contrary": contrary}]}

test_contrary_rule_is_medium if {
	[f | some f in check.finding with input as _rule(true)][0].severity == "medium"
}

test_repeated_rule_is_low if {
	[f | some f in check.finding with input as _rule(false)][0].severity == "low"
}

test_no_shadow_passes if count(check.finding) == 0 with input as {"shadowedRules": []}

test_uncompared_is_no_pass if {
	count(check.unknown) == 1 with input as {"shadowedRules": [], "uncomparedRules": [{"chain": "inet t/c", "reason": "r"}]}
}
