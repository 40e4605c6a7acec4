# METADATA
# title: An agent runs as root
# description: >-
#   An agent that runs as root of the host gives root to whatever instruction reaches it. In a
#   user namespace uid 0 is not root of the host, and no finding; in a container it is medium.
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
	"evidence": [sprintf("%s: %s, uid 0 in the initial user namespace, unit %q", [a.title, a.evidence, a.unit])],
	"remediation": [{"kind": "systemd", "text": "[Service]\nUser=agent\nNoNewPrivileges=yes\nProtectSystem=strict\nProtectHome=tmpfs"}],
} if {
	some a in input.agentPrograms
	a.uid == 0
	a.hostUser
	a.container == ""
}

# Root of a container is held back by what the container may do; out of it, it is root of the host.
finding contains {
	"resource": {"kind": "agent", "key": a.key},
	"message": sprintf("%s runs as root in container %s, without a user namespace of its own", [a.title, a.container]),
	"severity": "medium",
	"evidence": [sprintf("%s: %s, uid 0 in the initial user namespace, container %q", [a.title, a.evidence, a.container])],
	"remediation": [{"kind": "config", "text": sprintf("recreate container %s with --user, or with user namespaces (userns-remap)", [a.container])}],
} if {
	some a in input.agentPrograms
	a.uid == 0
	a.hostUser
	a.container != ""
}

not_applicable := "no agent runs" if count(input.agentPrograms) == 0
