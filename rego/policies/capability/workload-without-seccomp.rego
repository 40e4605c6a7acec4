# METADATA
# title: A container runs without a seccomp filter
# description: >-
#   Without a system call filter a container reaches the whole kernel interface: the calls that
#   nobody needs and that flaws are found in. An agent that runs as a process of the host is
#   judged as medium.
# custom:
#   severity: high
#   reads: [processes.power, runtimes, agents]
#   remediation: >-
#     Remove seccomp=unconfined; use the default profile of the runtime.
#   references:
#     cis: ["Docker v1.6.0 5.22"]
#     nist: ["SC-39", "CM-7"]
#     attack: ["T1611"]
#     cwe: ["CWE-693"]
package ringfence.capability.workload_without_seccomp

finding contains {
	"resource": {"kind": "workload", "key": w.key},
	"message": sprintf("%s can make every system call of the kernel", [w.name]),
	"severity": _severity(w),
	"evidence": [sprintf("%s (%s): Seccomp 0 in /proc/PID/status", [w.name, w.process])],
	"remediation": [{"kind": "config", "text": sprintf("run %s with a seccomp profile%s", [w.name, _how(w)])}],
} if {
	some w in input.workloads
	w.seccomp == 0
}

not_applicable := "no workload runs" if count(input.workloads) == 0

_severity(w) := "high" if {
	w.container != ""
} else := "medium"

_how(w) := "" if {
	w.container != ""
} else := " (in its unit: SystemCallFilter=@system-service)"
