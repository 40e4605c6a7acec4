package ringfence.ssh.empty_passwords_test

import data.ringfence.ssh.empty_passwords as check

_logins := {"root": "yes", "users": ["alice"], "locked": [], "unsure": [], "empty": ["guest"], "others": false}

_doc(settings) := {"ssh": {
	"servers": [{"key": "openssh", "kind": "openssh", "config": "/etc/ssh/sshd_config", "of": "", "state": "read"}],
	"contexts": [{"config": "/etc/ssh/sshd_config", "of": "", "source": "sshd -T", "match": "", "settings": settings, "values": {k: [v] | some k, v in settings}, "options": [], "logins": _logins}],
}}

test_fails if count(check.finding) == 1 with input as _doc({"permitrootlogin": "no", "passwordauthentication": "yes", "kbdinteractiveauthentication": "no", "permitemptypasswords": "yes", "usepam": "no", "authenticationmethods": ""})

test_passes if {
	count(check.finding) == 0 with input as _doc({"permitrootlogin": "no", "passwordauthentication": "yes", "kbdinteractiveauthentication": "no", "permitemptypasswords": "no", "usepam": "no", "authenticationmethods": ""})
	count(check.unknown) == 0 with input as _doc({"permitrootlogin": "no", "passwordauthentication": "yes", "kbdinteractiveauthentication": "no", "permitemptypasswords": "no", "usepam": "no", "authenticationmethods": ""})
}

test_unread_configuration_is_unknown if {
	doc := {"ssh": {"servers": [{"key": "dropbear", "kind": "dropbear", "state": "the configuration of this server could not be read"}], "contexts": []}}
	count(check.unknown) == 1 with input as doc
}

test_without_server_does_not_apply if check.not_applicable with input as {"ssh": {"servers": [], "contexts": []}}

# An account that may need no password is no critical finding, and no pass either.
test_passwords_that_are_not_seen_are_unknown if {
	weak := {"permitrootlogin": "no", "passwordauthentication": "yes", "kbdinteractiveauthentication": "no", "permitemptypasswords": "yes", "usepam": "no", "authenticationmethods": ""}
	doc := json.patch(_doc(weak), [
		{"op": "replace", "path": "ssh/contexts/0/logins/empty", "value": []},
		{"op": "replace", "path": "ssh/contexts/0/logins/unsure", "value": ["bob"]},
	])
	{f.severity | some f in check.finding} == {"medium"} with input as doc
	count(check.unknown) == 1 with input as doc
}

# Whatever is not told is not taken for the safe value.
test_what_is_not_said_is_unknown if count(check.unknown) == 2 with input as _doc({})

# The method none takes an empty password where passwords are on (OpenSSH 9.2).
test_the_method_none if {
	none := {"permitrootlogin": "no", "passwordauthentication": "yes", "kbdinteractiveauthentication": "no", "permitemptypasswords": "yes", "usepam": "no", "authenticationmethods": "none"}
	{f.severity | some f in check.finding} == {"critical"} with input as _doc(none)
	count(check.finding) == 0 with input as _doc(object.union(none, {"passwordauthentication": "no"}))
	count(check.finding) == 0 with input as _doc(object.union(none, {"permitemptypasswords": "no"}))
}
