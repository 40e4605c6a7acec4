# METADATA
# title: SSH accepts passwords
# description: >-
#   In some context of the SSH configuration (also inside a Match block) a password or a
#   keyboard-interactive answer alone logs in. Passwords can be guessed and reused; keys cannot.
#   Where no account that is let in has a password it is low.
# custom:
#   severity: high
#   reads: [ssh.configs, ssh.servers]
#   remediation: >-
#     PasswordAuthentication no and KbdInteractiveAuthentication no.
#   references:
#     cis: ["Debian 12 v1.1.0 5.1.8"]
#     nist: ["IA-2", "IA-5(1)"]
#     attack: ["T1110", "T1021.004"]
#     cwe: ["CWE-307"]
package ringfence.ssh.password_authentication

import data.ringfence.lib

finding contains {
	"resource": {"kind": "sshd", "key": lib.place(ctx), "path": ctx.config},
	"message": sprintf("SSH accepts passwords (%s)", [lib.whom(ctx)]),
	"severity": _severity(ctx),
	"evidence": [
		sprintf("%s (%s): %s", [ctx.config, ctx.source, concat(", ", lib.settings(ctx.settings))]),
		_who(ctx),
	],
	"remediation": lib.sshd(ctx, [
		{"name": "PasswordAuthentication", "value": "no"},
		{"name": "KbdInteractiveAuthentication", "value": "no"},
	]),
} if {
	some ctx in input.ssh.contexts
	lib.password_login(ctx.settings)
	count(lib.let_in(ctx)) > 0
}

# It is low where it is known that nobody has a password.
_severity(ctx) := "low" if count(lib.password_users(ctx)) + count(lib.unsure_users(ctx)) == 0

else := "high"

_who(ctx) := sprintf("who has a password: %s", [concat(", ", lib.password_users(ctx))]) if count(lib.password_users(ctx)) > 0

else := sprintf("whether they have a password is not known: %s", [concat(", ", lib.unsure_users(ctx))]) if count(lib.unsure_users(ctx)) > 0

else := "no account that is let in has a password"

unknown contains {
	"resource": {"kind": "sshd", "key": srv.key},
	"reason": srv.state,
} if {
	some srv in input.ssh.servers
	srv.state != "read"
}

unknown contains u if some u in lib.sshd_unsaid_any(input.ssh.contexts, {"passwordauthentication", "kbdinteractiveauthentication"})

not_applicable := "no SSH server runs" if count(input.ssh.servers) == 0
