# METADATA
# title: SSH users set the environment of their login
# description: >-
#   With PermitUserEnvironment sshd takes variables from ~/.ssh/environment and from options in
#   authorized_keys. Who is held by a forced command or a restricted shell gets out of it by
#   LD_PRELOAD and its kind (sshd_config(5)).
# custom:
#   severity: medium
#   reads: [ssh.configs, ssh.servers]
#   remediation: >-
#     PermitUserEnvironment no.
#   references:
#     cis: ["Debian 12 v1.1.0 5.1.21"]
#     nist: ["CM-6", "AC-6"]
#     attack: ["T1574.006"]
#     cwe: ["CWE-15"]
package ringfence.ssh.user_environment

import data.ringfence.lib

finding contains {
	"resource": {"kind": "sshd", "key": lib.place(ctx), "path": ctx.config},
	"message": sprintf("users set the environment of their login (%s)", [lib.whom(ctx)]),
	"severity": lib.of_host(ctx, "medium"),
	"evidence": [sprintf("%s (%s)", [ctx.config, ctx.source]), sprintf("permituserenvironment %s", [lib.sshd_value(ctx, "permituserenvironment")])],
	"remediation": lib.sshd(ctx, [{"name": "PermitUserEnvironment", "value": "no"}]),
} if {
	some ctx in input.ssh.contexts
	_open(ctx)
	not lib.sshd_repeats(ctx, [all | some all in input.ssh.contexts; _open(all)])
}

_open(ctx) if not lib.sshd_value(ctx, "permituserenvironment") in {"no", ""}

unknown := lib.sshd_unread(input.ssh.servers) | lib.sshd_unsaid(input.ssh.contexts, "permituserenvironment")

not_applicable := "no SSH server runs" if count(input.ssh.servers) == 0
