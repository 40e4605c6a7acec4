# METADATA
# title: A coding agent acts without asking
# description: >-
#   Claude Code, Codex, Gemini CLI, Cursor, Copilot, aider and others ask before they run a
#   command or work in a sandbox. Options and settings switch that off, and opencode asks for
#   nothing by default; then a sentence in a file or a web page that the agent reads runs commands
#   as its user. In a container that is what the container is for, and low; so is a default.
# custom:
#   severity: medium
#   reads: [agents, runtimes]
#   remediation: >-
#     Remove the option or setting, or run the agent in a container or under a user of its own.
#     Claude Code: permissions.disableBypassPermissionsMode in /etc/claude-code/managed-settings.json;
#     Codex: allowed_sandbox_modes in /etc/codex/requirements.toml; opencode: permission in
#     /etc/opencode/opencode.json.
#   references:
#     nist: ["AC-6", "CM-7"]
#     attack: ["T1059"]
#     cwe: ["CWE-284", "CWE-862"]
package ringfence.agent.brakes_off

finding contains {
	"resource": {"kind": "agent", "key": b.key, "path": b.file},
	"message": sprintf("%s of %s %s", [b.title, b.whose, _does[b.off]]),
	"severity": _severity(b),
	"evidence": [_evidence(b)],
	"remediation": [{"kind": "config", "text": _advice(b)}],
} if {
	some b in input.agentBrakes.list
	b.unread == ""
}

_does := {
	"approvals": "runs what it reads without asking",
	"sandbox": "runs commands outside its sandbox",
	"both": "runs what it reads without asking and without its sandbox",
}

_severity(b) := "low" if {
	b.container != ""
} else := "low" if {
	b["default"]
	not b.root
} else := "medium" if {
	b["default"]
} else := "high" if {
	b.root
} else := "medium"

_evidence(b) := sprintf("a process was started with %s", [b.how]) if b.running

_evidence(b) := sprintf("%s: %s", [b.file, b.how]) if not b.running

_ask := `set "permission": {"bash": "ask", "edit": "ask"}`

_advice(b) := sprintf("%s in its opencode.json", [_ask]) if {
	b.running
	b["default"]
}

_advice(b) := sprintf("%s in %s", [_ask, b.file]) if {
	not b.running
	b["default"]
}

_advice(b) := sprintf("start it without %s", [b.how]) if {
	b.running
	not b["default"]
}

_advice(b) := sprintf("take the setting out of %s", [b.file]) if {
	not b.running
	not b["default"]
}

unknown contains {"resource": {"kind": "agent", "key": b.key}, "reason": sprintf("how it acts is not known: %s", [b.unread])} if {
	some b in input.agentBrakes.list
	b.unread != ""
	b.container == ""
}

unknown contains {"resource": {"kind": "agent", "key": "settings of agents"}, "reason": input.agentBrakes.unread} if {
	input.agentBrakes.unread != ""
}
