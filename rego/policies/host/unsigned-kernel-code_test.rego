package ringfence.host.unsigned_kernel_code_test

import data.ringfence.host.unsigned_kernel_code as check

_doc(disabled, sig, lock) := {
	"sysctls": {"kernel.modules_disabled": disabled},
	"kernel": {"facts": {"moduleSignatures": sig, "lockdown": lock}},
}

_no := {"state": "absent"}

_off := {"state": "present", "value": "0"}

test_open_fails if count(check.finding) == 1 with input as _doc(_off, {"state": "present", "value": "N"}, {"state": "present", "value": "[none] integrity confidentiality"})

test_each_defence_passes if {
	count(check.finding) == 0 with input as _doc({"state": "absent", "value": ""}, _no, _no)
	count(check.finding) == 0 with input as _doc({"state": "present", "value": "1"}, _no, _no)
	count(check.finding) == 0 with input as _doc(_off, {"state": "present", "value": "Y"}, _no)
	count(check.finding) == 0 with input as _doc(_off, _no, {"state": "present", "value": "none [integrity] confidentiality"})
}

test_unread_is_unknown if {
	count(check.unknown) == 1 with input as _doc(_off, _no, {"state": "error"})
	count(check.finding) == 0 with input as _doc(_off, _no, {"state": "error"})
}
