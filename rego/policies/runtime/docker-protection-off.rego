# METADATA
# title: A Docker daemon protects no container by default
# description: >-
#   The daemon is told to start containers without a seccomp filter, or to make no rules of the
#   packet filter. Every container without options of its own then has the whole kernel interface,
#   or shares an unfiltered network with all the others.
# custom:
#   severity: high
#   reads: [runtimes]
#   remediation: >-
#     Take seccomp-profile unconfined and iptables false out of /etc/docker/daemon.json and the
#     arguments of dockerd, and restart it.
#   references:
#     cis: ["Docker v1.6.0 2.4", "Docker v1.6.0 2.17"]
#     nist: ["SC-39", "CM-6"]
#     attack: ["T1611"]
#     cwe: ["CWE-693"]
package ringfence.runtime.docker_protection_off

finding contains {
	"resource": {"kind": "service", "key": "seccomp profile of Docker"},
	"message": "Docker starts containers without a seccomp filter",
	"severity": "high",
	"evidence": [sprintf("%s or the arguments of dockerd: seccomp-profile unconfined", [d.file])],
	"remediation": [{"kind": "config", "text": sprintf("take seccomp-profile out of %s and of the arguments of dockerd, restart it and recreate the containers", [d.file])}],
} if {
	some d in input.dockerDaemons.list
	object.get(d, "seccomp", "") == "unconfined"
}

finding contains {
	"resource": {"kind": "service", "key": "packet filter of Docker"},
	"message": "Docker makes no rules of the packet filter: nothing keeps its networks apart, unless somebody else's rules do",
	"severity": "medium",
	"evidence": [sprintf("%s or the arguments of dockerd: iptables false", [d.file])],
	"remediation": [{"kind": "config", "text": sprintf("take iptables out of %s and of the arguments of dockerd, or write rules that keep the networks apart", [d.file])}],
} if {
	some d in input.dockerDaemons.list
	d.uid == 0
	not d.iptables
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
