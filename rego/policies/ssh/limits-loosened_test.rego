package ringfence.ssh.limits_loosened_test

import data.ringfence.ssh.limits_loosened as check

_doc(values) := _of(values, "")

_of(values, of) := {"ssh": {
	"servers": [{"key": "openssh", "kind": "openssh", "config": "/etc/ssh/sshd_config", "of": of, "state": "read"}],
	"contexts": [{"config": "/etc/ssh/sshd_config", "of": of, "source": "sshd -T", "match": "", "values": values, "options": []}],
}}

_unread := {"ssh": {"servers": [{"key": "openssh", "kind": "openssh", "state": "the configuration of this server could not be read"}], "contexts": []}}

test_unread_configuration_is_unknown if count(check.unknown) == 1 with input as _unread

test_without_server_does_not_apply if check.not_applicable with input as {"ssh": {"servers": [], "contexts": []}}

_good := {"maxauthtries": ["6"], "logingracetime": ["120"], "maxstartups": ["10:30:100"]}

test_defaults_pass if {
	count(check.finding) == 0 with input as _doc(_good)
	count(check.unknown) == 0 with input as _doc(_good)
}

test_each_limit_fails[key] if {
	some key, value in {"maxauthtries": "50", "logingracetime": "0", "maxstartups": "500"}
	count(check.finding) == 1 with input as _doc(object.union(_good, {key: [value]}))
}

test_tighter_ones_pass if count(check.finding) == 0 with input as _doc({"maxauthtries": ["3"], "logingracetime": ["30"], "maxstartups": ["4:30:10"]})

test_what_is_not_said_is_unknown if count(check.unknown) == 3 with input as _doc({})

test_units_count if {
	count(check.finding) == 1 with input as _doc(object.union(_good, {"logingracetime": ["10m"]}))
	count(check.finding) == 1 with input as _doc(object.union(_good, {"logingracetime": ["1h"]}))
	count(check.finding) == 0 with input as _doc(object.union(_good, {"logingracetime": ["2m"]}))
	every v in ["300s", "2m1s", "0s", "0m", "1m90s"] {
		count(check.finding) == 1 with input as _doc(object.union(_good, {"logingracetime": [v]}))
	}
	every v in ["120s", "1m30s", "1m60s"] {
		count(check.finding) == 0 with input as _doc(object.union(_good, {"logingracetime": [v]}))
	}
}
