package ringfence.management.console_logs_in_by_itself_test

import data.ringfence.management.console_logs_in_by_itself as check

_doc(user) := {"openConsoles": [{"tty": "ttyS0", "user": user, "unit": "serial-getty@ttyS0.service", "evidence": "agetty logs in root by itself"}]}

test_root_is_medium if {f.severity | some f in check.finding} == {"medium"} with input as _doc("root")

test_others_are_low if {f.severity | some f in check.finding} == {"low"} with input as _doc("alice")

test_none_passes if count(check.finding) == 0 with input as {"openConsoles": []}
