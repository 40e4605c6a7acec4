package ringfence.windows.service_changeable_test

import data.ringfence.windows.service_changeable as check

_doc(changes) := {"windowsServices": [object.union({"key": "Updater", "as": "LocalSystem", "what": "control", "who": [], "read": "present", "start": 2}, changes)]}

test_everyone_fails if {
	some f in check.finding with input as _doc({"who": ["S-1-1-0"]})
	f.severity == "high"
}

test_one_account_is_medium if {
	some f in check.finding with input as _doc({"who": ["S-1-5-21-1-2-3-1001"]})
	f.severity == "medium"
}

test_nobody_passes if {
	count(check.finding) == 0 with input as _doc({})
	count(check.unknown) == 0 with input as _doc({})
}

test_disabled_passes if count(check.finding) == 0 with input as _doc({"who": ["S-1-1-0"], "start": 4})

test_unread_is_unknown if count(check.unknown) == 1 with input as _doc({"read": "error"})

test_keys_of_administrators_fail if {
	some f in check.finding with input as _doc({"what": "keys", "who": ["S-1-5-11"]})
	f.severity == "medium"
}

test_unread_keys_are_unknown if count(check.unknown) == 1 with input as _doc({"what": "keys", "read": "error"})

test_path_without_quotes_is_low if {
	some f in check.finding with input as _doc({"what": "program", "before": "C:\\Program.exe"})
	f.severity == "low"
}

test_disabled_path_passes if count(check.finding) == 0 with input as _doc({"what": "program", "before": "C:\\Program.exe", "start": 4})
