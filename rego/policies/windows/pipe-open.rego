# METADATA
# title: A pipe of a runtime or of keys is open to others
# description: >-
#   The access list of a named pipe of Docker, containerd or an agent of SSH keys lets users or everybody open it. Whoever
#   speaks to a runtime is administrator.
# custom:
#   severity: high
#   reads: [windows.pipes]
#   remediation: >-
#     Start the daemon with a group of its own (--group), and take the others out.
#   references:
#     nist: ["AC-3", "AC-6"]
#     attack: ["T1611", "T1559"]
#     cwe: ["CWE-732"]
package ringfence.windows.pipe_open

import data.ringfence.lib.windows

finding contains {
	"resource": {"kind": "socket", "key": p.key},
	"message": sprintf("%s can open the pipe %s", [windows.who(p.who), p.key]),
	"severity": _severity(p),
	"evidence": [sprintf("\\\\.\\pipe\\%s lets %s", [p.key, windows.who(p.who)])],
	"remediation": [{"kind": "words", "text": sprintf("take %s out of the access list of the pipe %s", [windows.who(p.who), p.key])}],
} if {
	some p in input.windowsPipes
	count(p.who) > 0
}

unknown contains {"resource": {"kind": "socket", "key": p.key}, "reason": "its access list was not read"} if {
	some p in input.windowsPipes
	not p.read in {"present", "absent"}
}

_severity(p) := "high" if {
	p.role == "runtime"
	some sid in p.who
	sid in windows.broad
} else := "medium"
