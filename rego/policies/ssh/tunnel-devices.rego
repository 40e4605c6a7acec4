# METADATA
# title: SSH users can make network interfaces
# description: >-
#   With PermitTunnel a client that is let in has sshd open a TUN or TAP interface on the host: a
#   network that no zone knows is bridged to it, behind the packet filter for what arrives there.
#   Only root can use it, and whoever has a key of root.
# custom:
#   severity: medium
#   reads: [ssh.configs, ssh.servers]
#   remediation: >-
#     PermitTunnel no; use a VPN whose interface the firewall knows.
#   references:
#     nist: ["AC-4", "SC-7"]
#     attack: ["T1572"]
#     cwe: ["CWE-284"]
package ringfence.ssh.tunnel_devices

import data.ringfence.lib

finding contains {
	"resource": {"kind": "sshd", "key": lib.place(ctx), "path": ctx.config},
	"message": sprintf("SSH makes network interfaces for its clients (%s)", [lib.whom(ctx)]),
	"severity": lib.of_host(ctx, "medium"),
	"evidence": [sprintf("%s (%s)", [ctx.config, ctx.source]), sprintf("permittunnel %s", [lib.sshd_value(ctx, "permittunnel")])],
	"remediation": lib.sshd(ctx, [{"name": "PermitTunnel", "value": "no"}]),
} if {
	some ctx in input.ssh.contexts
	_open(ctx)
	not lib.sshd_repeats(ctx, [all | some all in input.ssh.contexts; _open(all)])
}

# DisableForwarding is about TCP, sockets, X11 and agents: sshd asks PermitTunnel alone (server_request_tun, serverloop.c).
_open(ctx) if not lib.sshd_value(ctx, "permittunnel") in {"no", ""}

unknown := lib.sshd_unread(input.ssh.servers) | lib.sshd_unsaid(input.ssh.contexts, "permittunnel")

not_applicable := "no SSH server runs" if count(input.ssh.servers) == 0
