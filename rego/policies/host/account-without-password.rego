# METADATA
# title: An account needs no password
# description: >-
#   The password of an account that lets somebody in is empty: on the console, by su from any other
#   account, and wherever PAM has nullok, whoever says its name is in. For an account of root's, or
#   one that may become root, that is root.
# custom:
#   severity: medium
#   reads: [system.accounts]
#   remediation: >-
#     Lock the password (passwd -l) or set one.
#   references:
#     cis: ["Debian 12 v1.1.0 7.2.2"]
#     nist: ["IA-5(1)"]
#     attack: ["T1078.003"]
#     cwe: ["CWE-258"]
package ringfence.host.account_without_password

import data.ringfence.lib

finding contains {
	"resource": {"kind": "account", "key": a.name, "path": "/etc/shadow"},
	"message": sprintf("%s needs no password", [a.name]),
	"severity": _severity(a),
	"evidence": [sprintf("/etc/shadow: the password of %s (uid %d) is empty", [a.name, a.uid])],
	"remediation": [{"kind": "command", "text": sprintf("passwd -l -- %s", [lib.quoted(a.name)])}],
} if {
	some a in input.openAccounts
	object.get(a, "empty", false)
	object.get(a, "shell", false)
}

_severity(a) := "high" if a.uid == 0

else := "medium"
