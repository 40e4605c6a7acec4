# METADATA
# title: An agent runs as root
# description: >-
#   An agent that runs as root of the host gives root to whatever instruction reaches it. In a
#   user namespace uid 0 is not root of the host, and no finding.
# custom:
#   severity: high
#   reads: [agents, processes.power]
#   remediation: >-
#     Run the agent under a user of its own, with NoNewPrivileges and ProtectSystem in its unit.
#   references:
#     nist: ["AC-6(2)"]
#     attack: ["T1548"]
#     cwe: ["CWE-250"]
package ringfence.agent.runs_as_root

finding contains {
	"resource": {"kind": "agent", "key": a.key},
	"message": sprintf("%s runs as root of the host", [a.title]),
	"evidence": [sprintf("%s: %s, uid 0 in the initial user namespace, unit %q, container %q", [a.title, a.evidence, a.unit, a.container])],
	"remediation": [{"kind": "systemd", "text": "[Service]\nUser=agent\nNoNewPrivileges=yes\nProtectSystem=strict\nProtectHome=tmpfs"}],
} if {
	some a in input.agentPrograms
	a.uid == 0
	a.hostUser
}

not_applicable := "no agent runs" if count(input.agentPrograms) == 0
