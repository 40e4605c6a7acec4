package ringfence.ssh.everybody_may_log_in_test

import data.ringfence.ssh.everybody_may_log_in as check

_doc(values) := _of(values, "")

_of(values, of) := {"ssh": {
	"servers": [{"key": "openssh", "kind": "openssh", "config": "/etc/ssh/sshd_config", "of": of, "state": "read"}],
	"contexts": [{"config": "/etc/ssh/sshd_config", "of": of, "source": "sshd -T", "match": "", "values": values, "options": []}],
}}

_unread := {"ssh": {"servers": [{"key": "openssh", "kind": "openssh", "state": "the configuration of this server could not be read"}], "contexts": []}}

test_unread_configuration_is_unknown if count(check.unknown) == 1 with input as _unread

test_without_server_does_not_apply if check.not_applicable with input as {"ssh": {"servers": [], "contexts": []}}

test_a_list_passes[list] if {
	some list in check._lists
	count(check.finding) == 0 with input as _doc({list: ["ops"]})
}

test_no_list_is_told if count(check.finding) == 1 with input as _doc({})

test_of_a_container_is_its_own if count(check.finding) == 0 with input as _of({}, "container web")
