package ringfence.ssh.server_in_container_test

import data.ringfence.ssh.server_in_container as check

_doc(of) := {"ssh": {"servers": [{"key": "openssh of x", "kind": "openssh", "config": "/etc/ssh/sshd_config", "of": of, "state": "read"}], "contexts": []}}

test_in_a_container_fails if count(check.finding) == 1 with input as _doc("container web")

test_the_host_passes if {
	count(check.finding) == 0 with input as _doc("")
	count(check.finding) == 0 with input as _doc("uid 1000")
}
