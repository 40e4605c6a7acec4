# METADATA
# title: A user's programs inherit capabilities of root
# description: >-
#   Ambient capabilities pass on to every program that a process starts. In a login or an agent
#   that is each tool and script: what may be meant for one program is power over the host for
#   all of them. A service that systemd gives some is no finding.
# custom:
#   severity: medium
#   reads: [processes.power, processes.programs, runtimes, agents]
#   remediation: >-
#     Give the one program a file capability or a unit of its own (AmbientCapabilities=), and
#     take the rule out of /etc/security/capability.conf.
#   references:
#     nist: ["AC-6", "AC-6(9)"]
#     attack: ["T1548"]
#     cwe: ["CWE-250"]
package ringfence.capability.ambient_capabilities

# Those that lead to the host from an account; what wakes the machine or opens a low port does not.
_strong := {
	"chown", "dac_override", "dac_read_search", "fowner", "kill", "setgid", "setuid", "setpcap", "linux_immutable", "net_admin", "net_raw",
	"sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_admin", "sys_boot", "mknod", "setfcap", "mac_admin", "mac_override", "syslog",
	"perfmon", "bpf", "checkpoint_restore", "audit_control", "sys_time",
}

finding contains {
	"resource": {"kind": "workload", "key": p.key},
	"message": sprintf("%s hands %s to every program that it starts", [_who(p), concat(", ", sort(more))]),
	"severity": _severity(p),
	"evidence": [sprintf("CapAmb in /proc/PID/status of %s, uid %d, in the initial user namespace", [p.program, p.uid])],
	"remediation": [{"kind": "config", "text": "take pam_cap's rule for the account out of /etc/security/capability.conf, or the capabilities from what starts it"}],
} if {
	some p in input.programs
	p.uid > 0
	p.hostUser
	_login(p)
	more := {c | some c in p.ambient; c in _strong}
	count(more) > 0
}

_login(p) if p.agent

_login(p) if {
	p.workload == ""
	not endswith(p.unit, ".service")
}

_login(p) if {
	p.workload == ""
	startswith(p.unit, "user@")
}

_who(p) := p.workload if {
	p.workload != ""
} else := sprintf("%s of uid %d", [p.program, p.uid])

_severity(p) := "high" if {
	p.agent
} else := "medium"
