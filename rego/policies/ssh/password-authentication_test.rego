package ringfence.ssh.password_authentication_test

import data.ringfence.ssh.password_authentication as check

_logins := {"root": "yes", "users": ["alice"], "locked": [], "unsure": [], "empty": ["guest"], "others": false}

_doc(settings) := {"ssh": {
	"servers": [{"key": "openssh", "kind": "openssh", "config": "/etc/ssh/sshd_config", "of": "", "state": "read"}],
	"contexts": [{"config": "/etc/ssh/sshd_config", "of": "", "source": "sshd -T", "match": "", "settings": settings, "values": {k: [v] | some k, v in settings}, "options": [], "logins": _logins}],
}}

test_fails if count(check.finding) == 1 with input as _doc({"permitrootlogin": "no", "passwordauthentication": "yes", "kbdinteractiveauthentication": "no", "permitemptypasswords": "no", "usepam": "no", "authenticationmethods": ""})

test_passes if {
	count(check.finding) == 0 with input as _doc({"permitrootlogin": "no", "passwordauthentication": "no", "kbdinteractiveauthentication": "no", "permitemptypasswords": "no", "usepam": "no", "authenticationmethods": ""})
	count(check.unknown) == 0 with input as _doc({"permitrootlogin": "no", "passwordauthentication": "no", "kbdinteractiveauthentication": "no", "permitemptypasswords": "no", "usepam": "no", "authenticationmethods": ""})
}

test_unread_configuration_is_unknown if {
	doc := {"ssh": {"servers": [{"key": "dropbear", "kind": "dropbear", "state": "the configuration of this server could not be read"}], "contexts": []}}
	count(check.unknown) == 1 with input as doc
}

test_without_server_does_not_apply if check.not_applicable with input as {"ssh": {"servers": [], "contexts": []}}

_settings(extra) := object.union({"permitrootlogin": "no", "passwordauthentication": "yes", "kbdinteractiveauthentication": "no", "permitemptypasswords": "no", "usepam": "no", "authenticationmethods": ""}, extra)

test_two_factors_are_no_password_login if {
	count(check.finding) == 0 with input as _doc(_settings({"authenticationmethods": "publickey,password"}))
	count(check.finding) == 0 with input as _doc(_settings({"authenticationmethods": "publickey,password publickey,keyboard-interactive:pam"}))
	count(check.finding) == 1 with input as _doc(_settings({"authenticationmethods": "publickey,password password"}))
	count(check.finding) == 0 with input as _doc(_settings({"authenticationmethods": "publickey,password keyboard-interactive"}))
	count(check.finding) == 1 with input as _doc(_settings({"authenticationmethods": "publickey keyboard-interactive", "kbdinteractiveauthentication": "yes", "usepam": "yes"}))
}

test_who_has_a_password_decides_how_bad_it_is if {
	doc := _doc(_settings({}))
	nobody := json.patch(doc, [{"op": "add", "path": "ssh/contexts/0/logins", "value": {"root": "locked", "users": [], "locked": ["alice"], "empty": [], "others": false}}])
	{f.severity | some f in check.finding} == {"low"} with input as nobody
	kept := json.patch(doc, [{"op": "add", "path": "ssh/contexts/0/logins", "value": {"root": "no", "users": [], "locked": [], "unsure": [], "empty": [], "others": false}}])
	count(check.finding) == 0 with input as kept
}

test_options_of_the_command_line_are_told if {
	doc := json.patch(_doc(_settings({})), [{"op": "add", "path": "ssh/contexts/0/options", "value": ["passwordauthentication=yes"]}])
	some f in check.finding with input as doc
	f.remediation[0].kind == "words"
	contains(f.remediation[0].text, "-o passwordauthentication=yes")
}

# It is low only where nobody has a password.
test_passwords_that_are_not_seen_are_not_low if {
	weak := {"permitrootlogin": "no", "passwordauthentication": "yes", "kbdinteractiveauthentication": "no", "permitemptypasswords": "no", "usepam": "no", "authenticationmethods": ""}
	doc := json.patch(_doc(weak), [
		{"op": "replace", "path": "ssh/contexts/0/logins/users", "value": []},
		{"op": "replace", "path": "ssh/contexts/0/logins/unsure", "value": ["bob"]},
	])
	{f.severity | some f in check.finding} == {"high"} with input as doc
	every f in check.finding {
		f.evidence[1] == "whether they have a password is not known: bob"
	} with input as doc
}

# Whatever is not told is not taken for the safe value.
test_what_is_not_said_is_unknown if count(check.unknown) == 2 with input as _doc({})

test_the_method_none_takes_no_password if {
	count(check.finding) == 0 with input as _doc(_settings({"authenticationmethods": "none", "permitemptypasswords": "yes"}))
	count(check.finding) == 1 with input as _doc(_settings({"authenticationmethods": "none password"}))
}
