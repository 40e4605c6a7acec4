package ringfence.host.secret_in_arguments_test

import data.ringfence.host.secret_in_arguments as check

_doc(kind) := {"openSecrets": {"unread": "", "older": false, "list": [{
	"key": "--api-key of llama-server of uid 7", "kind": kind, "name": "--api-key", "program": "llama-server", "whose": "uid 7", "unit": "", "file": "",
}]}}

test_an_argument_fails if count(check.finding) == 1 with input as _doc("argument")

test_a_unit_is_told_elsewhere if count(check.finding) == 0 with input as _doc("unit")

test_unread_is_unknown if count(check.unknown) == 1 with input as {"openSecrets": {"unread": "x", "older": true, "list": []}}
