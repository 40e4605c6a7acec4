# METADATA
# title: SSH accepts passwords
# description: >-
#   In some context of the SSH configuration (also inside a Match block) a password or a
#   keyboard-interactive answer logs in. Passwords can be guessed and reused; keys cannot.
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
	"evidence": [sprintf("%s (%s): %s", [ctx.config, ctx.source, concat(", ", lib.settings(ctx.settings))])],
	"remediation": lib.sshd(ctx, [
		{"name": "PasswordAuthentication", "value": "no"},
		{"name": "KbdInteractiveAuthentication", "value": "no"},
	]),
} if {
	some ctx in input.ssh.contexts
	_weak(ctx.settings)
}

_weak(s) if lib.password_login(s)

unknown contains {
	"resource": {"kind": "sshd", "key": srv.key},
	"reason": srv.state,
} if {
	some srv in input.ssh.servers
	srv.state != "read"
}

not_applicable := "no SSH server runs" if count(input.ssh.servers) == 0
