# METADATA
# title: A console logs somebody in without asking
# description: >-
#   A getty on a terminal was told to log an account in by itself. Whoever gets to that terminal is
#   that account: by the keyboard, by the console of the hypervisor, and on a serial line by
#   serial-over-LAN of the BMC, which asks for its own password alone, or none.
# custom:
#   severity: medium
#   reads: [system.consoles]
#   remediation: >-
#     Take --autologin out of the getty unit (systemctl revert serial-getty@ttyS0), and restart it.
#   references:
#     nist: ["AC-17", "IA-2"]
#     attack: ["T1078.003"]
#     cwe: ["CWE-306"]
package ringfence.management.console_logs_in_by_itself

finding contains {
	"resource": {"kind": "console", "key": sprintf("%s on %s", [c.user, _tty(c)])},
	"message": sprintf("%s logs in %s without asking", [_tty(c), c.user]),
	"severity": _severity(c),
	"evidence": [c.evidence, sprintf("unit %s", [object.get(c, "unit", "unknown")])],
	"remediation": [{"kind": "words", "text": sprintf("take --autologin out of %s (systemctl revert), and restart it", [object.get(c, "unit", "the unit of its getty")])}],
} if {
	some c in input.openConsoles
}

_tty(c) := object.get(c, "tty", "a console")

_severity(c) := "medium" if c.user == "root"

else := "low"
