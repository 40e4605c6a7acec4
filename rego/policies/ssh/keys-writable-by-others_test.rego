package ringfence.ssh.keys_writable_by_others_test

import data.ringfence.ssh.keys_writable_by_others as check

_doc(user) := {"keyFiles": [{"path": "/home/a/.ssh/authorized_keys", "user": user, "writable": "/home/a/.ssh is writable by everybody"}]}

test_writable_fails if {f.severity | some f in check.finding} == {"high"} with input as _doc("a")

test_of_root_is_critical if {f.severity | some f in check.finding} == {"critical"} with input as _doc("root")

test_none_passes if count(check.finding) == 0 with input as {"keyFiles": []}

test_authorities_are_of_every_account if {
	found := check.finding with input as {"keyFiles": [{"path": "/etc/ssh/ca.pub", "user": "", "what": "authorities", "writable": "by everybody"}]}
	some f in found
	f.severity == "critical"
	contains(f.message, "authorities")
	contains(f.remediation[0].text, "to root,")
}
