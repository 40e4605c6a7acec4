# METADATA
# title: An agent gets tools from a server over an open line
# description: >-
#   Settings of an agent name a server of the Model Context Protocol elsewhere by http:// or ws://.
#   Who is on the way reads what the agent sends there, its key for it among that, and writes what
#   it gets back: descriptions of tools and their answers are what an agent acts on.
# custom:
#   severity: medium
#   reads: [agents]
#   remediation: >-
#     Use https://, or lead it through a tunnel to loopback.
#   references:
#     nist: ["SC-8"]
#     attack: ["T1557", "T1040"]
#     cwe: ["CWE-319"]
package ringfence.agent.mcp_server_in_clear

finding contains {
	"resource": {"kind": "file", "key": sprintf("%s in %s", [m.name, m.file]), "path": m.file},
	"message": sprintf("%s of %s gets tools from %s (%s) without encryption%s", [m.runtime, m.whose, m.host, m.name, _key(m)]),
	"severity": _severity(m),
	"evidence": [sprintf("%s names it by http:// or ws://, and it is not on loopback", [m.file])],
	"remediation": [{"kind": "words", "text": sprintf("in %s: https:// for %s, or a tunnel to it", [m.file, m.name])}],
} if {
	some m in input.mcp.list
	m.clear
}

_key(m) := ", and sends it a secret" if {
	m.secret
} else := ""

_severity(m) := "high" if {
	m.secret
} else := "medium"

unknown contains {"resource": {"kind": "file", "key": f.file, "path": f.file}, "reason": sprintf("%s was not read: %s", [f.file, f.reason])} if {
	some f in input.mcp.files
}

unknown contains {"resource": {"kind": "file", "key": "settings of agents"}, "reason": input.mcp.unread} if {
	input.mcp.unread != ""
}
