# METADATA
# title: SSH takes key files that others can write
# description: >-
#   With StrictModes no sshd does not ask who else can write the home directory, .ssh and
#   authorized_keys of the user who logs in. Whoever can write one of them adds a key and is that
#   user: root, where it is a directory above /root/.ssh.
# custom:
#   severity: high
#   reads: [ssh.configs, ssh.servers]
#   remediation: >-
#     StrictModes yes; give the files and the directories above them to their users alone.
#   references:
#     nist: ["AC-3", "CM-6"]
#     attack: ["T1098.004"]
#     cwe: ["CWE-732"]
package ringfence.ssh.strict_modes_off

import data.ringfence.lib

finding contains {
	"resource": {"kind": "sshd", "key": lib.place(ctx), "path": ctx.config},
	"message": sprintf("SSH takes key files that others can write (%s)", [lib.whom(ctx)]),
	"severity": lib.of_host(ctx, "high"),
	"evidence": [sprintf("%s (%s)", [ctx.config, ctx.source]), sprintf("strictmodes %s", [lib.sshd_value(ctx, "strictmodes")])],
	"remediation": lib.sshd(ctx, [{"name": "StrictModes", "value": "yes"}]),
} if {
	some ctx in input.ssh.contexts
	_open(ctx)
	not lib.sshd_repeats(ctx, [all | some all in input.ssh.contexts; _open(all)])
}

_open(ctx) if lib.sshd_value(ctx, "strictmodes") == "no"

unknown := lib.sshd_unread(input.ssh.servers) | lib.sshd_unsaid(input.ssh.contexts, "strictmodes")

not_applicable := "no SSH server runs" if count(input.ssh.servers) == 0
