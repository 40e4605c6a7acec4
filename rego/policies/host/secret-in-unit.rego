# METADATA
# title: A secret is in a unit that every account can read
# description: >-
#   systemd tells every account the settings of a unit, Environment= and ExecStart= among them,
#   whatever the mode of its file is. A secret there, or in a file of variables that everybody may
#   read, is known to every program of the host.
# custom:
#   severity: medium
#   reads: [processes.secrets, runtimes]
#   remediation: >-
#     Put it into a file of mode 0600 and name that by EnvironmentFile= or LoadCredential=.
#   references:
#     nist: ["IA-5(7)", "SC-28"]
#     attack: ["T1552.001"]
#     cwe: ["CWE-522", "CWE-732"]
package ringfence.host.secret_in_unit

import data.ringfence.lib

finding contains {
	"resource": {"kind": "file", "key": s.key},
	"message": sprintf("every account can read %s of %s", [s.name, s.unit]),
	"evidence": [_evidence(s)],
	"remediation": [{"kind": _kind(s), "text": _advice(s)}],
} if {
	some s in input.openSecrets.list
	s.kind in {"unit", "environment-file"}
}

_evidence(s) := sprintf("%s has it, and everybody may read the file (the value is not kept)", [s.file]) if {
	s.file != ""
} else := sprintf("the settings of %s have it; systemctl show tells them to everybody (the value is not kept)", [s.unit])

_kind(s) := "command" if {
	s.file != ""
} else := "systemd"

_advice(s) := sprintf("chmod 0600 %s", [lib.quoted(s.file)]) if {
	s.file != ""
} else := sprintf("[Service]\nEnvironmentFile=/etc/%s.env (mode 0600, with %s), instead of the setting; then change the secret", [trim_suffix(s.unit, ".service"), s.name])

unknown contains {"resource": {"kind": "file", "key": "settings of units"}, "reason": input.openSecrets.unread} if {
	input.openSecrets.unread != ""
}
