# METADATA
# title: root can log in over SSH with a password
# description: >-
#   In some context of the SSH configuration (also inside a Match block) root may log in with a
#   password. One guessed or reused password is then the whole host. Where root has no password it
#   is low.
# custom:
#   severity: high
#   reads: [ssh.configs, ssh.servers]
#   remediation: >-
#     PermitRootLogin no, or prohibit-password.
#   references:
#     cis: ["Debian 12 v1.1.0 5.1.20"]
#     nist: ["AC-6(2)", "IA-2"]
#     attack: ["T1078.003", "T1110"]
#     cwe: ["CWE-250"]
package ringfence.ssh.root_login_with_password

import data.ringfence.lib

finding contains {
	"resource": {"kind": "sshd", "key": lib.place(ctx), "path": ctx.config},
	"message": sprintf("root can log in over SSH with a password (%s)", [lib.whom(ctx)]),
	"evidence": [sprintf("%s (%s): %s", [ctx.config, ctx.source, concat(", ", lib.settings(ctx.settings))])],
	"remediation": lib.sshd(ctx, [{"name": "PermitRootLogin", "value": "prohibit-password"}]),
} if {
	some ctx in input.ssh.contexts
	lib.root_login(ctx) == "yes"
	lib.password_login(ctx.settings)
}

finding contains {
	"resource": {"kind": "sshd", "key": lib.place(ctx), "path": ctx.config},
	"message": sprintf("root can log in over SSH with a password as soon as it has one (%s)", [lib.whom(ctx)]),
	"severity": "low",
	"evidence": [
		sprintf("%s (%s): %s", [ctx.config, ctx.source, concat(", ", lib.settings(ctx.settings))]),
		"root has no password now (shadow)",
	],
	"remediation": lib.sshd(ctx, [{"name": "PermitRootLogin", "value": "prohibit-password"}]),
} if {
	some ctx in input.ssh.contexts
	lib.root_login(ctx) == "locked"
	lib.password_login(ctx.settings)
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
	"reason": "root is let in, and whether it has a password is not known",
} if {
	some ctx in input.ssh.contexts
	ctx.of == ""
	lib.root_login(ctx) == "unsure"
	lib.password_login(ctx.settings)
}

unknown contains u if some u in lib.sshd_unsaid_any(input.ssh.contexts, {"permitrootlogin", "passwordauthentication", "kbdinteractiveauthentication"})

not_applicable := "no SSH server runs" if count(input.ssh.servers) == 0
