# METADATA
# title: A Docker daemon has none of the settings that harden all containers
# description: >-
#   Three settings of the daemon protect containers that nobody has thought about:
#   no-new-privileges, user namespaces (userns-remap), and icc off, which keeps containers of the
#   default bridge apart. None of them is on by default. One finding for each daemon; a rootless
#   one has its user namespace.
# custom:
#   severity: low
#   reads: [runtimes]
#   remediation: >-
#     Set "no-new-privileges": true and "icc": false in /etc/docker/daemon.json; for containers
#     that run untrusted code "userns-remap": "default" or rootless Docker.
#   references:
#     cis: ["Docker v1.6.0 2.2", "Docker v1.6.0 2.9", "Docker v1.6.0 2.14"]
#     nist: ["CM-6", "SC-39"]
#     attack: ["T1611"]
#     cwe: ["CWE-1188"]
package ringfence.runtime.docker_daemon_not_hardened

finding contains {
	"resource": {"kind": "service", "key": "hardening of Docker"},
	"message": "Docker hardens no container of its own accord: setuid programs work, root in it is root of the host, and containers of the default bridge reach each other",
	"evidence": [sprintf("%s and the arguments of dockerd set none of no-new-privileges, userns-remap and icc", [d.file])],
	"remediation": [{"kind": "config", "text": sprintf("%s: {\"no-new-privileges\": true, \"icc\": false}, then restart Docker", [d.file])}],
} if {
	some d in input.dockerDaemons.list
	d.read.state == "present"
	d.uid == 0
	not d.noNewPrivileges
	object.get(d, "usernsRemap", "") == ""
	d.icc
}

unknown contains {"resource": {"kind": "service", "key": "dockerd"}, "reason": sprintf("its settings are not known: %s", [d.read.reason])} if {
	some d in input.dockerDaemons.list
	d.read.state != "present"
}

unknown contains {"resource": {"kind": "service", "key": "dockerd"}, "reason": input.dockerDaemons.unread} if input.dockerDaemons.unread != ""

not_applicable := "no Docker daemon runs" if {
	input.dockerDaemons.unread == ""
	count(input.dockerDaemons.list) == 0
}
