package ringfence.ssh.weak_algorithms_test

import data.ringfence.ssh.weak_algorithms as check

_doc(values) := _of(values, "")

_of(values, of) := {"ssh": {
	"servers": [{"key": "openssh", "kind": "openssh", "config": "/etc/ssh/sshd_config", "of": of, "state": "read"}],
	"contexts": [{"config": "/etc/ssh/sshd_config", "of": of, "source": "sshd -T", "match": "", "values": values, "options": []}],
}}

_unread := {"ssh": {"servers": [{"key": "openssh", "kind": "openssh", "state": "the configuration of this server could not be read"}], "contexts": []}}

test_unread_configuration_is_unknown if count(check.unknown) == 1 with input as _unread

test_without_server_does_not_apply if check.not_applicable with input as {"ssh": {"servers": [], "contexts": []}}

_good := {"ciphers": ["chacha20-poly1305@openssh.com,aes128-ctr"], "kexalgorithms": ["curve25519-sha256"], "macs": ["hmac-sha2-256,hmac-sha1"], "hostkeyalgorithms": ["ssh-ed25519,rsa-sha2-512"]}

test_defaults_pass if {
	count(check.finding) == 0 with input as _doc(_good)
	count(check.unknown) == 0 with input as _doc(_good)
}

test_broken_ones_fail if {
	{f.severity | some f in check.finding} == {"low"} with input as _doc(object.union(_good, {"ciphers": ["aes128-ctr,3des-cbc"]}))
	count(check.finding) == 1 with input as _doc(object.union(_good, {"kexalgorithms": ["diffie-hellman-group1-sha1"]}))
	count(check.finding) == 1 with input as _doc(object.union(_good, {"hostkeyalgorithms": ["ssh-dss"]}))
}

test_no_encryption_is_high if {
	{f.severity | some f in check.finding} == {"high"} with input as _doc(object.union(_good, {"ciphers": ["none"]}))
	{f.severity | some f in check.finding} == {"low"} with input as _of(object.union(_good, {"ciphers": ["none"]}), "container web")
}

test_what_is_not_said_is_unknown if count(check.unknown) == 1 with input as _doc(object.remove(_good, ["macs"]))
