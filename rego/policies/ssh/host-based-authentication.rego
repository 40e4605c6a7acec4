# METADATA
# title: SSH lets hosts vouch for their users
# description: >-
#   With HostbasedAuthentication the server believes another host about who its users are: root of
#   that host, or who has its key, logs in as everybody without a key or password of theirs.
#   IgnoreRhosts no lets each user add such hosts.
# custom:
#   severity: high
#   reads: [ssh.configs, ssh.servers]
#   remediation: >-
#     HostbasedAuthentication no, and log in with keys.
#   references:
#     cis: ["Debian 12 v1.1.0 5.1.10", "Debian 12 v1.1.0 5.1.11"]
#     nist: ["IA-2", "AC-17"]
#     attack: ["T1021.004"]
#     cwe: ["CWE-291"]
package ringfence.ssh.host_based_authentication

import data.ringfence.lib

finding contains {
	"resource": {"kind": "sshd", "key": lib.place(ctx), "path": ctx.config},
	"message": sprintf("SSH believes other hosts about their users (%s)", [lib.whom(ctx)]),
	"severity": lib.of_host(ctx, "high"),
	"evidence": [sprintf("%s (%s)", [ctx.config, ctx.source]), sprintf("hostbasedauthentication %s", [lib.sshd_value(ctx, "hostbasedauthentication")]), sprintf("ignorerhosts %s", [lib.sshd_value(ctx, "ignorerhosts")])],
	"remediation": lib.sshd(ctx, [{"name": "HostbasedAuthentication", "value": "no"}]),
} if {
	some ctx in input.ssh.contexts
	_open(ctx)
	not lib.sshd_repeats(ctx, [all | some all in input.ssh.contexts; _open(all)])
}

_open(ctx) if lib.sshd_value(ctx, "hostbasedauthentication") == "yes"

unknown := (lib.sshd_unread(input.ssh.servers) | lib.sshd_unsaid(input.ssh.contexts, "hostbasedauthentication")) | lib.sshd_unsaid(input.ssh.contexts, "ignorerhosts")

not_applicable := "no SSH server runs" if count(input.ssh.servers) == 0
