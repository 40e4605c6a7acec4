# METADATA
# title: A secret is in the arguments of a process
# description: >-
#   Every account reads the arguments of every process, that of an agent among them, and so does a
#   container with the pids of the host. A password, key or token that a program is given so is
#   known to all of them, and to logs of processes.
# custom:
#   severity: medium
#   reads: [processes.secrets, runtimes]
#   remediation: >-
#     Give the secret by a file that the program's user alone reads (LoadCredential= of a unit), or
#     by its environment. /proc with hidepid=2 hides arguments from other accounts.
#   references:
#     nist: ["IA-5(7)", "SC-28"]
#     attack: ["T1552", "T1057"]
#     cwe: ["CWE-214", "CWE-522"]
package ringfence.host.secret_in_arguments

finding contains {
	"resource": {"kind": "command", "key": s.key},
	"message": sprintf("every account can read the secret that %s of %s was given by %s", [s.program, s.whose, s.name]),
	"evidence": [sprintf("/proc/PID/cmdline of %s, unit %q: %s has a value (which is not kept)", [s.program, s.unit, s.name])],
	"remediation": [{"kind": "words", "text": sprintf("give %s the secret by a file or its environment instead of %s, and change the secret", [s.program, s.name])}],
} if {
	some s in input.openSecrets.list
	s.kind == "argument"
}

unknown contains {"resource": {"kind": "command", "key": "arguments of processes"}, "reason": "the snapshot is older than the question"} if {
	input.openSecrets.older
}
