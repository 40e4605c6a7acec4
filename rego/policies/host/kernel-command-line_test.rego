package ringfence.host.kernel_command_line_test

import data.ringfence.host.kernel_command_line as check

_doc(line) := {"commandLine": {"state": "present", "value": line}}

test_bad_ones_fail[line] if {
	some line in {"ro mitigations=off", "root nokaslr quiet", "init=/bin/bash", "systemd.unit=rescue.target", "systemd.debug-shell", "systemd.debug_shell=1", "single", "rescue", "-b", "rd.break", "kgdboc", "audit=off"}
	count(check.finding) == 1 with input as _doc(line)
}

test_usual_ones_pass[line] if {
	some line in {"root ro quiet splash", "init=/usr/lib/systemd/systemd", "mitigations=auto,nosmt lockdown=integrity", "console", "systemd.debug-shell=0"}
	count(check.finding) == 0 with input as _doc(line)
	count(check.unknown) == 0 with input as _doc(line)
}

test_unread_is_unknown if count(check.unknown) == 1 with input as {"commandLine": {"state": "denied"}}
