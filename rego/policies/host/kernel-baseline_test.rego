package ringfence.host.kernel_baseline_test

import data.ringfence.host.kernel_baseline as check

_good := {name: {"state": "present", "value": sort(row.good)[0]} | some name, row in check._baseline}

test_good_passes if {
	count(check.finding) == 0 with input as {"sysctls": _good}
	count(check.unknown) == 0 with input as {"sysctls": _good}
}

test_bad_value_fails if {
	doc := object.union(_good, {"kernel.randomize_va_space": {"state": "present", "value": "0"}})
	count(check.finding) == 1 with input as {"sysctls": doc}
}

test_absence_is_judged if {
	doc := object.union(_good, {
		"kernel.yama.ptrace_scope": {"state": "absent", "value": ""},
		"dev.tty.legacy_tiocsti": {"state": "absent", "value": ""},
	})
	count(check.finding) == 1 with input as {"sysctls": doc}
}

test_denied_is_unknown if {
	doc := object.union(_good, {"kernel.kptr_restrict": {"state": "denied", "value": ""}})
	count(check.unknown) == 1 with input as {"sysctls": doc}
}

test_low_ones_are_one_finding if {
	doc := object.union(_good, {
		"kernel.kptr_restrict": {"state": "present", "value": "0"}, "dev.tty.legacy_tiocsti": {"state": "present", "value": "1"},
		"kernel.yama.ptrace_scope": {"state": "absent", "value": ""},
	})
	found := check.finding with input as {"sysctls": doc}
	count(found) == 1
	some f in found
	count(f.evidence) == 3
	f.remediation[0].settings == [{"name": "dev.tty.legacy_tiocsti", "value": "0"}, {"name": "kernel.kptr_restrict", "value": "1"}]
}
