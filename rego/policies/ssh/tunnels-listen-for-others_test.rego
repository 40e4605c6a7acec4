package ringfence.ssh.tunnels_listen_for_others_test

import data.ringfence.ssh.tunnels_listen_for_others as check

_doc(values) := _of(values, "")

_of(values, of) := {"ssh": {
	"servers": [{"key": "openssh", "kind": "openssh", "config": "/etc/ssh/sshd_config", "of": of, "state": "read"}],
	"contexts": [{"config": "/etc/ssh/sshd_config", "of": of, "source": "sshd -T", "match": "", "values": values, "options": []}],
}}

_unread := {"ssh": {"servers": [{"key": "openssh", "kind": "openssh", "state": "the configuration of this server could not be read"}], "contexts": []}}

test_unread_configuration_is_unknown if count(check.unknown) == 1 with input as _unread

test_without_server_does_not_apply if check.not_applicable with input as {"ssh": {"servers": [], "contexts": []}}

_good := {"gatewayports": ["no"], "allowtcpforwarding": ["yes"], "disableforwarding": ["no"]}

test_passes if {
	count(check.finding) == 0 with input as _doc(_good)
	count(check.unknown) == 0 with input as _doc(_good)
}

test_fails if {
	{f.severity | some f in check.finding} == {"medium"} with input as _doc(object.union(_good, {"gatewayports": ["clientspecified"]}))
	count(check.finding[_].remediation) == 1 with input as _doc(object.union(_good, {"gatewayports": ["clientspecified"]}))
}

test_of_a_container_is_low if {
	{f.severity | some f in check.finding} == {"low"} with input as _of(object.union(_good, {"gatewayports": ["clientspecified"]}), "container web")
}

test_what_is_not_said_is_unknown if count(check.unknown) == 1 with input as _doc({})

test_no_forwarding_no_tunnel if {
	count(check.finding) == 0 with input as _doc({"gatewayports": ["yes"], "allowtcpforwarding": ["yes"], "disableforwarding": ["yes"]})
	count(check.finding) == 0 with input as _doc({"gatewayports": ["yes"], "allowtcpforwarding": ["local"], "disableforwarding": ["no"]})
}

test_what_is_not_said_keeps_nobody if {
	count(check.finding) == 1 with input as _doc({"gatewayports": ["yes"], "allowtcpforwarding": ["yes"]})
	count(check.finding) == 1 with input as _doc({"gatewayports": ["yes"], "disableforwarding": ["no"]})
}
