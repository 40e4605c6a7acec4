package ringfence.ssh.root_login_with_password_test

import data.ringfence.ssh.root_login_with_password as check

_logins := {"root": "yes", "users": ["alice"], "locked": [], "unsure": [], "empty": ["guest"], "others": false}

_doc(settings) := {"ssh": {
	"servers": [{"key": "openssh", "kind": "openssh", "config": "/etc/ssh/sshd_config", "of": "", "state": "read"}],
	"contexts": [{"config": "/etc/ssh/sshd_config", "of": "", "source": "sshd -T", "match": "", "settings": settings, "values": {k: [v] | some k, v in settings}, "options": [], "logins": _logins}],
}}

test_fails if count(check.finding) == 1 with input as _doc({"permitrootlogin": "yes", "passwordauthentication": "yes", "kbdinteractiveauthentication": "no", "permitemptypasswords": "no", "usepam": "no", "authenticationmethods": ""})

test_passes if {
	count(check.finding) == 0 with input as _doc({"permitrootlogin": "no", "passwordauthentication": "yes", "kbdinteractiveauthentication": "no", "permitemptypasswords": "no", "usepam": "no", "authenticationmethods": ""})
	count(check.unknown) == 0 with input as _doc({"permitrootlogin": "no", "passwordauthentication": "yes", "kbdinteractiveauthentication": "no", "permitemptypasswords": "no", "usepam": "no", "authenticationmethods": ""})
}

test_unread_configuration_is_unknown if {
	doc := {"ssh": {"servers": [{"key": "dropbear", "kind": "dropbear", "state": "the configuration of this server could not be read"}], "contexts": []}}
	count(check.unknown) == 1 with input as doc
}

test_without_server_does_not_apply if check.not_applicable with input as {"ssh": {"servers": [], "contexts": []}}

test_of_another_context_is_not_roots if {
	weak := {"permitrootlogin": "yes", "passwordauthentication": "yes", "kbdinteractiveauthentication": "no", "permitemptypasswords": "no", "usepam": "no", "authenticationmethods": ""}
	doc := json.patch(_doc(weak), [{"op": "add", "path": "ssh/contexts/0/logins/root", "value": "no"}])
	count(check.finding) == 0 with input as doc
	locked := json.patch(_doc(weak), [{"op": "add", "path": "ssh/contexts/0/logins/root", "value": "locked"}])
	{f.severity | some f in check.finding} == {"low"} with input as locked
}

# Without shadow(5) nobody knows whether root has a password.
test_password_that_is_not_seen_is_unknown if {
	weak := {"permitrootlogin": "yes", "passwordauthentication": "yes", "kbdinteractiveauthentication": "no", "permitemptypasswords": "no", "usepam": "no", "authenticationmethods": ""}
	doc := json.patch(_doc(weak), [{"op": "add", "path": "ssh/contexts/0/logins/root", "value": "unsure"}])
	count(check.finding) == 0 with input as doc
	count(check.unknown) == 1 with input as doc
}

# Whatever is not told is not taken for the safe value.
test_what_is_not_said_is_unknown if count(check.unknown) == 3 with input as _doc({})

test_the_method_none_takes_no_password_of_root if {
	none := {"permitrootlogin": "yes", "passwordauthentication": "yes", "kbdinteractiveauthentication": "no", "permitemptypasswords": "yes", "usepam": "no", "authenticationmethods": "none"}
	count(check.finding) == 0 with input as _doc(none)
	count(check.finding) == 1 with input as _doc(object.union(none, {"authenticationmethods": "any"}))
}
