package ringfence.host.forced_kernel_module_test

import data.ringfence.host.forced_kernel_module as check

_doc(v) := {"sysctls": {"kernel.tainted": {"state": "present", "value": v}}}

test_unsigned_fails if count(check.finding) == 1 with input as _doc("8192")

test_both_fail if count(check.finding) == 2 with input as _doc("8194")

test_others_pass[v] if {
	some v in {"0", "1", "4096", "32768", "512"}
	count(check.finding) == 0 with input as _doc(v)
}

test_unread_is_unknown if count(check.unknown) == 1 with input as {"sysctls": {}}
