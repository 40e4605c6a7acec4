# METADATA
# title: A program runs that has no file
# description: >-
#   The program of a process is in memory alone, or was removed from a directory for temporary
#   files after it was started. Nobody can look at it, and no package has it: that is how
#   intruders leave nothing behind. What a runtime of root's copies itself into, for a moment, is
#   left out.
# custom:
#   severity: medium
#   reads: [processes.power, processes.programs, runtimes, agents]
#   remediation: >-
#     Find out who started it (/proc/PID/exe still has the program). If nothing on the host needs
#     programs in memory, set vm.memfd_noexec to 2.
#   references:
#     nist: ["SI-4", "SI-7", "CM-7(5)"]
#     attack: ["T1620", "T1070.004"]
#     cwe: ["CWE-506"]
package ringfence.kernel.program_without_a_file

finding contains {
	"resource": {"kind": "workload", "key": p.key},
	"message": sprintf("%s runs a program %s", [_who(p), _lacks[p.lacks]]),
	"severity": _severity(p),
	"evidence": [sprintf("/proc/PID/exe: %s, uid %d, unit %q", [p.program, p.uid, p.unit])],
	"remediation": [{"kind": "words", "text": "look at the program by /proc/PID/exe and at who started it"}],
} if {
	some p in input.programs
	p.lacks in {"memory", "removed"}
	_counts(p)
}

unknown contains {
	"resource": {"kind": "workload", "key": p.key},
	"reason": sprintf("%s runs a program in memory by the name of what runtimes become for a moment when they start something in a container: look again", [_who(p)]),
} if {
	some p in input.programs
	p.lacks == "passing"
	_counts(p)
}

_lacks := {"memory": "that is in memory alone", "removed": "that was removed after it was started"}

_counts(p) if _host_root(p)

_counts(p) if p.workload != ""

_host_root(p) if {
	p.uid == 0
	p.hostUser
	p.workload == ""
}

_who(p) := "root of the host" if {
	_host_root(p)
} else := p.workload

_severity(p) := "high" if {
	_host_root(p)
} else := "medium"
