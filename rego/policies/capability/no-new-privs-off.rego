# METADATA
# title: A workload can gain privileges through setuid programs
# description: >-
#   Without no_new_privs a setuid program or one with file capabilities raises the privileges of
#   a workload. In an initial user namespace that is a way to root.
# custom:
#   severity: medium
#   reads: [processes.power, runtimes, agents]
#   remediation: >-
#     Set no-new-privileges for the container, or NoNewPrivileges=yes in the unit.
#   references:
#     cis: ["Docker v1.6.0 5.26"]
#     nist: ["AC-6(10)"]
#     attack: ["T1548.001"]
#     cwe: ["CWE-269"]
package ringfence.capability.no_new_privs_off

finding contains {
	"resource": {"kind": "workload", "key": w.key},
	"message": sprintf("%s can gain privileges through setuid programs", [w.name]),
	"evidence": [sprintf("%s (%s): NoNewPrivs 0 in /proc/PID/status", [w.name, w.process])],
	"remediation": [{"kind": "config", "text": sprintf("run %s with %s", [w.name, _with(w)])}],
} if {
	some w in input.workloads
	w.hostUser
	not w.noNewPrivs
}

not_applicable := "no workload runs" if count(input.workloads) == 0

_with(w) := "--security-opt no-new-privileges" if {
	w.container != ""
} else := "NoNewPrivileges=yes in its unit"
