# METADATA
# title: An agent lets somebody in from afar
# description: >-
#   A program runs that calls out to a service, by which somebody else gets a shell or the screen
#   of the host: tmate, sshx, TeamViewer, AnyDesk, RustDesk, AWS Systems Manager, MeshCentral and
#   their kind. No packet filter sees who comes in. The parameter remoteControl of the
#   configuration names those that are meant.
# custom:
#   severity: low
#   reads: [management, listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   params:
#     remoteControl: {type: strings, default: [], description: "Agents that are meant to let somebody in from afar."}
#   remediation: >-
#     Remove the program, or name it under params.remoteControl.
#   references:
#     nist: ["AC-17(1)", "CM-7"]
#     attack: ["T1219"]
#     cwe: ["CWE-1188"]
package ringfence.management.remote_control_agent

finding contains {
	"resource": {"kind": "server", "key": m.key},
	"message": sprintf("%s lets somebody in from afar, past every packet filter", [m.key]),
	"severity": _severity(m),
	"evidence": [m.evidence],
	"remediation": [
		{"kind": "words", "text": sprintf("remove %s if nobody here meant it", [m.name])},
		{"kind": "config", "text": sprintf("params: {remoteControl: [%q]}", [m.name])},
	],
} if {
	some m in input.managed
	m.role == "remote"
	not m.name in object.get(data.params, "remoteControl", [])
}

# A shell that anybody with a link has is no product of somebody's.
_severity(m) := "medium" if m.name in {"tmate", "sshx"}

else := "low"
