# METADATA
# title: A workload has a capability that takes the host over
# description: >-
#   SYS_ADMIN, SYS_MODULE, SYS_RAWIO, SYS_BOOT, BPF, DAC_READ_SEARCH, or SYS_PTRACE together
#   with the pid namespace of the host, held in the initial user namespace, each lead from a
#   container to the host. Agents that run as processes of the host are judged by
#   agent/runs-as-root.
# custom:
#   severity: critical
#   reads: [processes.power, runtimes, agents]
#   remediation: >-
#     Drop all capabilities and add back the few that the workload needs.
#   references:
#     cis: ["Docker v1.6.0 5.4"]
#     nist: ["AC-6"]
#     attack: ["T1611", "T1547.006"]
#     cwe: ["CWE-250"]
package ringfence.capability.host_takeover_capability_in_workload

finding contains {
	"resource": {"kind": "workload", "key": w.key},
	"message": sprintf("%s can take over the host with %s", [_who(w), concat(", ", bad)]),
	"severity": _severity(w),
	"evidence": [sprintf("%s (%s): has %s in the initial user namespace%s", [w.name, w.process, w.capText, _by(w)])],
	"remediation": [{"kind": "config", "text": sprintf("run %s with --cap-drop ALL and only the capabilities it needs", [w.name])}],
} if {
	some w in input.workloads
	not _root(w)
	w.hostUser
	bad := _takeover(w)
	count(bad) > 0
}

# Of a workload whose system calls end in a kernel of its own, the capabilities are that kernel's.
_who(w) := sprintf("whoever breaks out of %s in %s", [w.kernel, w.name]) if {
	w.kernel != ""
} else := w.name

_severity(w) := "medium" if {
	w.kernel != ""
} else := "critical"

unknown contains {
	"resource": {"kind": "workload", "key": w.key},
	"reason": sprintf("%s has %s in its bounding set, and no program that runs as root was seen by which uid %d would get it", [w.name, concat(", ", bad), w.uid]),
} if {
	some w in input.workloads
	w.container != ""
	w.hostUser
	bad := [c | some c in w.latentCaps; _leads(c, w)]
	count(bad) > 0
}

not_applicable := "no workload runs" if count(input.workloads) == 0

_by(w) := sprintf(", by %s, which runs as root", [w.gainsBy]) if w.gainsBy != ""

else := ""

_deadly := {"sys_admin", "sys_module", "sys_rawio", "sys_boot", "bpf", "dac_read_search"}

_takeover(w) := [c |
	some c in w.caps
	_leads(c, w)
]

_leads(c, _) if c in _deadly

_leads("sys_ptrace", w) if w.hostPID

# Over the files of the host, which an agent has, these are no less.
_leads(c, w) if {
	w.agent
	c in {"dac_override", "setuid", "setgid", "chown", "fowner", "setfcap"}
}

# An agent that is root of the host is told of by agent/runs-as-root.
_root(w) if {
	w.agent
	w.uid == 0
}
