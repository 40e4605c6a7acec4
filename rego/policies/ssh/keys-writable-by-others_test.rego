package ringfence.ssh.keys_writable_by_others_test

import data.ringfence.ssh.keys_writable_by_others as check

_doc(user) := {"keyFiles": [{"path": "/home/a/.ssh/authorized_keys", "user": user, "writable": "/home/a/.ssh is writable by everybody"}]}

test_writable_fails if {f.severity | some f in check.finding} == {"high"} with input as _doc("a")

test_of_root_is_critical if {f.severity | some f in check.finding} == {"critical"} with input as _doc("root")

test_none_passes if count(check.finding) == 0 with input as {"keyFiles": []}
