package ringfence.firewall.live_differs_from_file_test

import data.ringfence.firewall.live_differs_from_file as check

_doc(t) := {"persisted": {"state": "present", "reason": "", "file": "/etc/nftables.conf", "tables": [object.union({"table": "inet filter", "missing": false, "extra": false, "lines": ["+ input: accept"]}, t)]}}

test_other_rules_fail if {f.severity | some f in check.finding} == {"medium"} with input as _doc({})

test_a_table_that_is_not_loaded_fails if {f.severity | some f in check.finding} == {"medium"} with input as _doc({"missing": true, "lines": []})

test_a_table_more_is_low if {f.severity | some f in check.finding} == {"low"} with input as _doc({"extra": true, "lines": []})

test_alike_passes if {
	count(check.finding) == 0 with input as {"persisted": {"state": "present", "reason": "", "file": "/etc/nftables.conf", "tables": []}}
}

test_without_a_file_it_does_not_apply if check.not_applicable with input as {"persisted": {"state": "absent", "reason": "", "file": "", "tables": []}}

test_unread_is_unknown if count(check.unknown) == 1 with input as {"persisted": {"state": "error", "reason": "x", "file": "", "tables": []}}
