# METADATA
# title: The SSH server of Windows accepts passwords
# description: >-
#   In some context of sshd_config (also inside a Match block) a password alone logs in: the default of OpenSSH. The password of a Windows
#   account can be guessed from wherever the server is reached, and can be that of a domain.
# custom:
#   severity: high
#   reads: [windows.adapters, windows.listeners, windows.reach, windows.ssh]
#   remediation: >-
#     PasswordAuthentication no in %ProgramData%\ssh\sshd_config, once keys of those who log in are in place; then restart the service sshd.
#   references:
#     nist: ["IA-2", "IA-5(1)"]
#     attack: ["T1110", "T1021.004"]
#     cwe: ["CWE-307"]
package ringfence.windows.ssh_password

import data.ringfence.lib

_listens if {
	some svc in input.windowsListeners
	svc.class == "ssh"
}

_for_others if {
	some svc in input.windowsListeners
	svc.class == "ssh"
	not svc.loopback
}

_open := [sprintf("%s: %s", [lib.context(ctx), concat(", ", lib.settings(ctx.settings))]) |
	some ctx in input.windowsSSH.contexts
	lib.password_login(ctx.settings)
]

finding contains {
	"resource": {"kind": "sshd", "key": "OpenSSH for Windows"},
	"message": "the SSH server accepts passwords",
	"severity": _severity,
	"evidence": array.slice(_open, 0, 5),
	"remediation": [{"kind": "words", "text": "in %ProgramData%\\ssh\\sshd_config: PasswordAuthentication no, also in Match blocks; then Restart-Service sshd"}],
} if {
	_listens
	count(_open) > 0
}

# Processes of the host alone reach a server on loopback.
_severity := "high" if _for_others

else := "medium"

unknown contains {"resource": {"kind": "sshd", "key": "OpenSSH for Windows"}, "reason": input.windowsSSH.state} if {
	_listens
	not input.windowsSSH.state in {"present", "absent"}
}

unknown contains {"resource": {"kind": "sshd", "key": "OpenSSH for Windows"}, "reason": sprintf("its %s is not known", [name])} if {
	_listens
	some ctx in input.windowsSSH.contexts
	some name in ["passwordauthentication", "kbdinteractiveauthentication"]
	ctx.settings[name] == ""
}

not_applicable := "no SSH server listens" if not _listens
