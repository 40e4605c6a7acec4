package ringfence.windows.ssh_password_test

import data.ringfence.windows.ssh_password as check

_settings := {
	"permitrootlogin": "prohibit-password", "passwordauthentication": "no", "kbdinteractiveauthentication": "yes", "permitemptypasswords": "no",
	"usepam": "no", "authenticationmethods": "",
}

_doc(state, contexts) := {
	"windowsListeners": [{"class": "ssh", "loopback": false}],
	"windowsSSH": {"state": state, "contexts": [{"match": match, "settings": object.union(_settings, changes)} | some match, changes in contexts]},
}

_yes := {"passwordauthentication": "yes"}

test_default_fails if {
	some f in check.finding with input as _doc("absent", {"": _yes})
	f.severity == "high"
}

test_a_match_block_fails if count(check.finding) == 1 with input as _doc("present", {"": {}, "Group administrators": _yes})

# Windows has nothing that answers keyboard-interactive.
test_keys_alone_pass if {
	count(check.finding) == 0 with input as _doc("present", {"": {}})
	count(check.unknown) == 0 with input as _doc("present", {"": {}})
}

test_two_factors_pass if count(check.finding) == 0 with input as _doc("present", {"": object.union(_yes, {"authenticationmethods": "publickey,password"})})

test_unread_is_unknown if count(check.unknown) == 1 with input as _doc("what it includes was not told", {})

test_loopback_is_medium if {
	some f in check.finding with input as object.union(_doc("present", {"": _yes}), {"windowsListeners": [{"class": "ssh", "loopback": true}]})
	f.severity == "medium"
}

test_without_a_server if check.not_applicable with input as {"windowsListeners": [], "windowsSSH": {"state": "absent", "contexts": []}}
