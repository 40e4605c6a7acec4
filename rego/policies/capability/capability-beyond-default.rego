# METADATA
# title: A workload has capabilities that runtimes do not give
# description: >-
#   Besides those that take the host over at once there are capabilities over the host as a
#   whole: its clock, kernel log, audit, security modules and limits. No runtime gives them by
#   default; somebody added them.
# custom:
#   severity: medium
#   reads: [processes.power, runtimes, agents]
#   remediation: >-
#     Drop the capability; let a service of the host do what needs it.
#   references:
#     cis: ["Docker v1.6.0 5.4"]
#     nist: ["AC-6", "AC-6(1)"]
#     attack: ["T1611", "T1070.006"]
#     cwe: ["CWE-250"]
package ringfence.capability.capability_beyond_default

import data.ringfence.lib

# What each is over; those of capability/host-takeover-capability-in-workload and of the network are told of there.
_over := {
	"syslog": "reads addresses of the kernel from its log",
	"sys_time": "sets the clock of the host, by which certificates and logs are judged",
	"audit_control": "switches audit off",
	"audit_read": "reads what is audited",
	"mac_admin": "changes the policy of security modules",
	"mac_override": "passes by the policy of security modules",
	"perfmon": "observes the kernel and other processes",
	"checkpoint_restore": "takes other processes' memory maps and pids",
	"linux_immutable": "changes files that are marked immutable",
	"ipc_owner": "passes by the permissions of System V memory",
	"sys_pacct": "switches accounting off",
	"sys_ptrace": "reads and changes other processes of its user that it sees",
	"sys_resource": "passes by limits and quotas",
}

finding contains {
	"resource": {"kind": "workload", "key": w.key},
	"message": sprintf("%s %s", [w.name, lib.join([_over[c] | some c in sort(more)])]),
	"severity": _severity(more),
	"evidence": [sprintf("%s (%s): has %s in the initial user namespace", [w.name, w.process, concat(", ", sort(more))])],
	"remediation": [{"kind": "config", "text": sprintf("recreate %s without --cap-add %s", [w.name, concat(" --cap-add ", sort(more))])}],
} if {
	some w in input.workloads
	w.container != ""
	w.hostUser
	not _all(w) # capability/privileged-container
	more := {c | some c in w.caps; _over[c]} - _hostpid(w)
	count(more) > 0
}

_all(w) if w.fullCaps

_all(w) if "sys_admin" in w.caps # which is worse, and brings the others

_hostpid(w) := {"sys_ptrace"} if {
	w.hostPID
} else := set()

_severity(more) := "low" if {
	count(more - {"sys_ptrace", "sys_resource", "audit_read", "sys_pacct"}) == 0
} else := "medium"

not_applicable := "no workload runs" if count(input.workloads) == 0
