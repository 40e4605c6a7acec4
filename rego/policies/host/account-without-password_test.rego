package ringfence.host.account_without_password_test

import data.ringfence.host.account_without_password as check

_doc(a) := {"openAccounts": [object.union({"name": "test", "uid": 1000, "empty": true, "shell": true}, a)]}

test_empty_fails if {f.severity | some f in check.finding} == {"medium"} with input as _doc({})

test_of_root_is_high if {f.severity | some f in check.finding} == {"high"} with input as _doc({"name": "root", "uid": 0})

test_without_a_shell_passes if count(check.finding) == 0 with input as _doc({"shell": false})

test_with_a_password_passes if count(check.finding) == 0 with input as _doc({"empty": false})
