package ringfence.firewall.live_differs_from_file_test

import data.ringfence.firewall.live_differs_from_file as check

_doc(t) := {"persistedMore": [], "persisted": {"state": "present", "reason": "", "file": "/etc/nftables.conf", "tables": [object.union({"table": "inet filter", "missing": false, "extra": false, "lines": ["+ input: accept"]}, t)]}}

test_other_rules_fail if {f.severity | some f in check.finding} == {"medium"} with input as _doc({})

test_a_table_that_is_not_loaded_fails if {f.severity | some f in check.finding} == {"medium"} with input as _doc({"missing": true, "lines": []})

test_a_table_more_is_low if {f.severity | some f in check.finding} == {"low"} with input as _doc({"extra": true, "lines": []})

test_alike_passes if {
	count(check.finding) == 0 with input as {"persistedMore": [], "persisted": {"state": "present", "reason": "", "file": "/etc/nftables.conf", "tables": []}}
}

test_without_a_file_it_does_not_apply if check.not_applicable with input as {"persistedMore": [], "persisted": {"state": "absent", "reason": "", "file": "", "tables": []}}

test_unread_is_unknown if count(check.unknown) == 1 with input as {"persistedMore": [], "persisted": {"state": "error", "reason": "x", "file": "", "tables": []}}

_more(p) := {"persisted": {"state": "absent", "file": "", "reason": "", "tables": []}, "persistedMore": [object.union({"state": "present", "file": "/etc/ufw", "reason": "", "loader": "ufw.service", "tables": [], "left": []}, p)]}

test_rules_of_ufw_fail if {
	found := check.finding with input as _more({"tables": [{"table": "ip filter", "missing": false, "extra": false, "lines": ["+ x"]}]})
	count(found) == 1
	some f in found
	contains(f.remediation[0].text, "ufw reload")
}

test_a_chain_that_is_left_is_unknown if count(check.unknown) == 1 with input as _more({"left": ["filter_IN_public_allow"]})

test_files_of_others_that_are_lost_are_unknown if count(check.unknown) == 1 with input as _more({"state": "error", "reason": "x"})

test_files_of_others_pass if {
	count(check.finding) == 0 with input as _more({})
	not check.not_applicable with input as _more({})
}
