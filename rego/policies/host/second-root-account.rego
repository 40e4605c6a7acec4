# METADATA
# title: An account besides root has uid 0
# description: >-
#   Another account has the number 0 and is root under another name. It is not in lists of who may
#   be root, rules about root by name pass it by, and it is a usual way to come back.
# custom:
#   severity: medium
#   reads: [system.accounts]
#   remediation: >-
#     Give the account a number of its own or delete it; use sudo for what it is for.
#   references:
#     cis: ["Debian 12 v1.1.0 5.4.2.1"]
#     nist: ["AC-6(1)", "IA-2"]
#     attack: ["T1136.001"]
#     cwe: ["CWE-250"]
package ringfence.host.second_root_account

import data.ringfence.lib

finding contains {
	"resource": {"kind": "account", "key": a.name, "path": "/etc/passwd"},
	"message": sprintf("%s is root under another name", [a.name]),
	"severity": _severity(a),
	"evidence": [sprintf("/etc/passwd: %s has uid 0, and %s", [a.name, _shell(a)])],
	"remediation": [{"kind": "command", "text": sprintf("userdel -- %s", [lib.quoted(a.name)])}],
} if {
	some a in input.openAccounts
	a.uid == 0
	a.name != "root"
}

_severity(a) := "medium" if object.get(a, "shell", false)

else := "low"

_shell(a) := "a shell" if object.get(a, "shell", false)

else := "no shell"
