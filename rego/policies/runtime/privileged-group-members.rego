# METADATA
# title: Accounts are members of a group that controls a runtime
# description: >-
#   Membership in docker, lxd, incus-admin or libvirt is root on the host without a password or
#   a log entry. An agent whose user has it runs every tool as root.
# custom:
#   severity: medium
#   reads: [runtimes, agents, processes.power, processes.groups]
#   params:
#     groupMembers: {type: strings, default: [], description: "Accounts that may be in the group of a runtime."}
#   remediation: >-
#     Remove the accounts from the group; use rootless containers.
#   references:
#     cis: ["Docker v1.6.0 1.1.2"]
#     nist: ["AC-6(1)"]
#     attack: ["T1611"]
#     cwe: ["CWE-269"]
package ringfence.runtime.privileged_group_members

import data.ringfence.lib

finding contains {
	"resource": {"kind": "group", "key": sprintf("%s: %s", [g.name, m]), "path": "/etc/group"},
	"message": sprintf("%s is root on the host through group %s", [m, g.name]),
	"severity": "medium",
	"evidence": [sprintf("/etc/group: %s has members %s", [g.name, concat(", ", g.members)])],
	"steps": [sprintf("user %s", [m]), sprintf("group %s", [g.name]), sprintf("%s API", [g.runtime]), "root on the host"],
	"remediation": [{"kind": "command", "text": sprintf("gpasswd -d %s %s", [lib.quoted(m), lib.quoted(g.name)])}],
} if {
	some g in input.runtimeGroups
	some m in g.members
	m != "root"
	not m in object.get(data.params, "groupMembers", [])
}

finding contains {
	"resource": {"kind": "group", "key": sprintf("%s: agent %s", [g.name, a]), "path": "/etc/group"},
	"message": sprintf("%s is root on the host through group %s", [a, g.name]),
	"severity": "high",
	"evidence": [sprintf("the process of %s has group %s", [a, g.name])],
	"steps": [a, sprintf("group %s", [g.name]), sprintf("%s API", [g.runtime]), "root on the host"],
	"remediation": [{"kind": "words", "text": sprintf("run %s under a user of its own that is in no runtime group", [a])}],
} if {
	some g in input.runtimeGroups
	some a in g.agents
}
