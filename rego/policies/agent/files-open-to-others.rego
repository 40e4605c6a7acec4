# METADATA
# title: Files of an agent are open to other accounts
# description: >-
#   Credentials, conversations or settings of an agent can be read or written by other accounts.
#   Who reads them is the agent to its services; who writes them tells it what to run.
# custom:
#   severity: high
#   reads: [agents]
#   remediation: >-
#     chmod go-rwx on the file or its directory.
#   references:
#     nist: ["AC-3", "AC-6"]
#     attack: ["T1552.001"]
#     cwe: ["CWE-732", "CWE-522"]
package ringfence.agent.files_open_to_others

import data.ringfence.lib

finding contains {
	"resource": {"kind": "file", "key": f.path, "path": f.path},
	"message": sprintf("%s can %s of %s", [f.to, _does(f), f.user]),
	"severity": _severity(f),
	"evidence": [sprintf("%s has mode %s, and every directory on the way lets them through", [f.path, _octal(f.mode)])],
	"remediation": [{"kind": "command", "text": _advice(f)}],
} if {
	some f in input.agentFiles.list
}

_advice(f) := sprintf("chown %s %s && setfacl -b %s", [lib.quoted(f.user), lib.quoted(f.path), lib.quoted(f.path)]) if {
	startswith(f.to, "user ")
} else := sprintf("chmod go-rwx %s", [lib.quoted(f.path)])

_octal(mode) := sprintf("%04o", [mode])

_does(f) := sprintf("tell %s what to do by its files", [f.runtime]) if f.write

_does(f) := sprintf("read credentials or conversations of %s", [f.runtime]) if not f.write

_severity(f) := "high" if {
	f.write
} else := "high" if {
	f.to == "everybody"
} else := "medium"

unknown contains {"resource": {"kind": "file", "key": "files of agents"}, "reason": input.agentFiles.unread} if {
	input.agentFiles.unread != ""
}
