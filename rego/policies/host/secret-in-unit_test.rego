package ringfence.host.secret_in_unit_test

import data.ringfence.host.secret_in_unit as check

_doc(change) := {"openSecrets": {"unread": "", "list": [object.union(
	{
		"key": "API_KEY of a.service", "kind": "unit", "name": "API_KEY", "program": "", "whose": "root", "unit": "a.service", "file": "",
	},
	change,
)]}}

test_a_setting_fails if count(check.finding) == 1 with input as _doc({})

test_a_file_fails if count(check.finding) == 1 with input as _doc({"kind": "environment-file", "file": "/etc/a.env"})

test_an_argument_is_told_elsewhere if count(check.finding) == 0 with input as _doc({"kind": "argument"})
