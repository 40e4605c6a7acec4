# METADATA
# title: Tunnels of SSH users listen for everybody
# description: >-
#   With GatewayPorts a port that somebody who is logged in forwards (ssh -R) listens on all
#   addresses of the host: one user, or one stolen key, publishes any service behind the host, past
#   what is bound to loopback. DisableForwarding or AllowTcpForwarding local keep such ports away.
# custom:
#   severity: medium
#   reads: [ssh.configs, ssh.servers]
#   remediation: >-
#     GatewayPorts no; or DisableForwarding yes where nobody needs tunnels.
#   references:
#     cis: ["Debian 12 v1.1.0 5.1.8"]
#     nist: ["AC-4", "SC-7"]
#     attack: ["T1572"]
#     cwe: ["CWE-284"]
package ringfence.ssh.tunnels_listen_for_others

import data.ringfence.lib

finding contains {
	"resource": {"kind": "sshd", "key": lib.place(ctx), "path": ctx.config},
	"message": sprintf("tunnels that users open listen on all addresses (%s)", [lib.whom(ctx)]),
	"severity": lib.of_host(ctx, "medium"),
	"evidence": [sprintf("%s (%s)", [ctx.config, ctx.source]), sprintf("gatewayports %s", [lib.sshd_value(ctx, "gatewayports")])],
	"remediation": lib.sshd(ctx, [{"name": "GatewayPorts", "value": "no"}]),
} if {
	some ctx in input.ssh.contexts
	_open(ctx)
	not lib.sshd_repeats(ctx, [all | some all in input.ssh.contexts; _open(all)])
}

_open(ctx) if {
	not lib.sshd_value(ctx, "gatewayports") in {"no", ""}
	not _kept(ctx)
}

# A server that does not tell a setting is too old to have it. Rules of their own, since not of a call without a value is none.
_kept(ctx) if lib.sshd_value(ctx, "allowtcpforwarding") in {"no", "local"}

_kept(ctx) if lib.sshd_value(ctx, "disableforwarding") == "yes"

unknown := lib.sshd_unread(input.ssh.servers) | lib.sshd_unsaid(input.ssh.contexts, "gatewayports")

not_applicable := "no SSH server runs" if count(input.ssh.servers) == 0
