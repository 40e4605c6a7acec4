package ringfence.host.second_root_account_test

import data.ringfence.host.second_root_account as check

_doc(a) := {"openAccounts": [object.union({"name": "toor", "uid": 0, "shell": true}, a)]}

test_second_root_fails if {f.severity | some f in check.finding} == {"medium"} with input as _doc({})

test_without_a_shell_is_low if {f.severity | some f in check.finding} == {"low"} with input as _doc({"shell": false})

test_others_pass if count(check.finding) == 0 with input as _doc({"uid": 1000})
