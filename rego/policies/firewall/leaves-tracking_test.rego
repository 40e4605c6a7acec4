package ringfence.firewall.leaves_tracking_test

import data.ringfence.firewall.leaves_tracking as check

_doc(kind) := {"untracked": [{"key": "inet raw/prerouting: udp dport 53 notrack", "kind": kind}]}

test_notrack_fails if {f.severity | some f in check.finding} == {"low"} with input as _doc("notrack")

test_flowtable_is_told if {f.severity | some f in check.finding} == {"info"} with input as _doc("flowtable")

test_none_passes if count(check.finding) == 0 with input as {"untracked": []}
