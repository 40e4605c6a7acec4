# METADATA
# title: Root in workloads is root of the host
# description: >-
#   Containers run as uid 0 without a user namespace of their own. What keeps them is namespaces,
#   capabilities and filters; whatever gets past these, through a mount, a device or a flaw, is
#   root of the host. One finding for each runtime.
# custom:
#   severity: low
#   reads: [processes.power, runtimes, agents]
#   remediation: >-
#     Run containers with --user, or the daemon with userns-remap, or rootless.
#   references:
#     cis: ["Docker v1.6.0 2.9", "Docker v1.6.0 4.1"]
#     nist: ["AC-6(2)", "SC-39"]
#     attack: ["T1611"]
#     cwe: ["CWE-250"]
package ringfence.capability.root_without_user_namespace

import data.ringfence.lib

_roots[c.runtime] contains lib.container(c) if {
	some c in input.containers
	c.running
	some w in input.workloads
	w.key == sprintf("container %s", [lib.container(c)])
	w.uid == 0
	w.hostUser
	not w.fullCaps # capability/privileged-container says more
}

finding contains {
	"resource": {"kind": "host", "key": sprintf("containers of %s as root", [runtime])},
	"message": sprintf("root in the containers %s of %s is root of the host", [lib.join(sort(names)), runtime]),
	"evidence": [sprintf("processes of %d containers have uid 0 in the initial user namespace", [count(names)])],
	"remediation": [{"kind": "config", "text": _advice(runtime)}],
} if {
	some runtime, names in _roots
}

_advice("docker") := "recreate them with --user, or set \"userns-remap\": \"default\" in /etc/docker/daemon.json and restart Docker (images and containers are kept apart from those of before)"

_advice(runtime) := "recreate them with a user of their own, or with user namespaces (--userns=auto, hostUsers: false)" if runtime != "docker"

not_applicable := "no container was found" if count(input.containers) == 0
