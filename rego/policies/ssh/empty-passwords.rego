# METADATA
# title: SSH accepts empty passwords
# description: >-
#   In some context of the SSH configuration an account without a password can be used over the
#   network.
# custom:
#   severity: critical
#   reads: [ssh.configs, ssh.servers]
#   remediation: >-
#     PermitEmptyPasswords no.
#   references:
#     cis: ["Debian 12 v1.1.0 5.1.19"]
#     nist: ["IA-5(1)"]
#     attack: ["T1078.003"]
#     cwe: ["CWE-521"]
package ringfence.ssh.empty_passwords

import data.ringfence.lib

finding contains {
	"resource": {"kind": "sshd", "key": lib.place(ctx), "path": ctx.config},
	"message": sprintf("SSH accepts accounts without a password (%s)", [lib.whom(ctx)]),
	"severity": _severity(ctx.logins),
	"evidence": [sprintf("%s (%s): %s", [ctx.config, ctx.source, concat(", ", lib.settings(ctx.settings))])],
	"remediation": lib.sshd(ctx, [{"name": "PermitEmptyPasswords", "value": "no"}]),
} if {
	some ctx in input.ssh.contexts
	_weak(ctx.settings)
	count(lib.let_in(ctx)) > 0
}

# Without an account that has no password nobody can use it yet.
_severity(logins) := "critical" if count(logins.empty) > 0

else := "medium"

_weak(s) if {
	s.permitemptypasswords == "yes"
	lib.logs_in_unkeyed(s)
}

unknown contains {
	"resource": {"kind": "sshd", "key": srv.key},
	"reason": srv.state,
} if {
	some srv in input.ssh.servers
	srv.state != "read"
}

unknown contains {
	"resource": {"kind": "sshd", "key": lib.place(ctx)},
	"reason": sprintf("accounts without a password are let in, and whether these have one is not known: %s", [concat(", ", lib.unsure_users(ctx))]),
} if {
	some ctx in input.ssh.contexts
	ctx.of == ""
	_weak(ctx.settings)
	count(ctx.logins.empty) == 0
	count(lib.unsure_users(ctx)) > 0
}

unknown contains u if some u in lib.sshd_unsaid_any(input.ssh.contexts, {"passwordauthentication", "permitemptypasswords"})

not_applicable := "no SSH server runs" if count(input.ssh.servers) == 0
