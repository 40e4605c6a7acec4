# METADATA
# title: SSH lets every account of the host in
# description: >-
#   Nothing limits who may log in over SSH: no AllowUsers, AllowGroups, DenyUsers or DenyGroups. An
#   account that was made for a service, an agent or a test gets in as soon as it has a key or a
#   password. For a host with few accounts that is a matter of order, so it is told once, as
#   information.
# custom:
#   severity: info
#   reads: [ssh.configs, ssh.servers]
#   remediation: >-
#     AllowGroups with the group of the people who administer the host.
#   references:
#     cis: ["Debian 12 v1.1.0 5.1.4"]
#     nist: ["AC-3", "AC-17"]
#     attack: ["T1078.003"]
#     cwe: ["CWE-284"]
package ringfence.ssh.everybody_may_log_in

import data.ringfence.lib

_lists := {"allowusers", "allowgroups", "denyusers", "denygroups"}

_limited(ctx) if {
	some list in _lists
	count(object.get(ctx.values, list, [])) > 0
}

finding contains {
	"resource": {"kind": "sshd", "key": lib.place(ctx), "path": ctx.config},
	"message": "SSH lets every account of the host in that has a key or a password",
	"evidence": [sprintf("%s (%s) has no AllowUsers, AllowGroups, DenyUsers or DenyGroups", [ctx.config, ctx.source])],
	"remediation": [{"kind": "words", "text": sprintf("in %s: AllowGroups with the group of those who administer the host; who is in none of its groups is kept out", [ctx.config])}],
} if {
	some ctx in input.ssh.contexts
	ctx.of == ""
	ctx.match == ""
	ctx.source != "arguments"
	not _limited(ctx)
}

unknown := lib.sshd_unread(input.ssh.servers) | set()

not_applicable := "no SSH server runs" if count(input.ssh.servers) == 0
