# METADATA
# title: An agent gateway tells its network where everything is
# description: >-
#   With discovery in full mode OpenClaw announces by mDNS, to everybody on the network, besides its
#   name the path of its program and the port of SSH: what an intruder looks for first.
# custom:
#   severity: low
#   reads: [agents, processes.power]
#   remediation: >-
#     Set discovery.mdns.mode to minimal or off.
#   references:
#     cis: ["Debian 12 v1.1.0 2.1.2"]
#     nist: ["CM-7"]
#     attack: ["T1046"]
#     cwe: ["CWE-200"]
package ringfence.agent.announces_too_much

finding contains {
	"resource": {"kind": "agent", "key": a.key, "path": a.config.path},
	"message": sprintf("%s announces its program and the port of SSH to everybody on its network", [a.title]),
	"evidence": [sprintf("%s: discovery.mdns.mode is full", [a.config.path])],
	"remediation": [{"kind": "config", "text": "discovery: {mdns: {mode: \"minimal\"}}"}],
} if {
	some a in input.agentPrograms
	a.configState == "present"
	object.get(a.config, "mdns", "") == "full"
}

unknown contains {"resource": {"kind": "agent", "key": a.key}, "reason": sprintf("its configuration was not read: %s", [a.configWhy])} if {
	some a in input.agentPrograms
	a.runtime == "openclaw"
	not a.configState in {"present", "absent"}
}

not_applicable := "no agent gateway runs" if {
	count([a | some a in input.agentPrograms; a.runtime == "openclaw"]) == 0
}
