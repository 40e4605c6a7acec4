# METADATA
# title: A container is privileged
# description: >-
#   A privileged container has all capabilities, no seccomp filter and all devices: it is root
#   on the host with a different view of the file system.
# custom:
#   severity: critical
#   reads: [processes.power, runtimes, agents]
#   remediation: >-
#     Recreate the container without --privileged; add single capabilities and devices where
#     needed.
#   references:
#     cis: ["Docker v1.6.0 5.5"]
#     nist: ["AC-6", "SC-39"]
#     attack: ["T1611"]
#     cwe: ["CWE-250"]
package ringfence.capability.privileged_container

import data.ringfence.lib

finding contains {
	"resource": {"kind": "workload", "key": w.key},
	"message": sprintf("%s is privileged: it %s root on the host", [w.name, _is(w)]),
	"evidence": [sprintf("%s (%s): all capabilities%s, seccomp off, initial user namespace", [w.name, w.process, _by(w)])],
	"remediation": [{"kind": "config", "text": sprintf("recreate %s without --privileged", [w.name])}],
} if {
	some w in input.workloads
	not w.agent
	w.hostUser
	w.fullCaps
	w.seccomp == 0
}

_by(w) := sprintf(" by %s, which runs as root", [w.gainsBy]) if w.gainsBy != ""

else := ""

_is(w) := "becomes" if w.gainsBy != ""

else := "is"

unknown contains {
	"resource": {"kind": "workload", "key": w.key},
	"reason": sprintf("%s has all capabilities in its bounding set, and no program that runs as root was seen by which uid %d would get them", [w.name, w.uid]),
} if {
	some w in input.workloads
	w.container != ""
	w.hostUser
	w.latent
	w.seccomp == 0
}

not_applicable := "no workload runs" if count(input.workloads) + count(input.containers) == 0

finding contains {
	"resource": {"kind": "workload", "key": sprintf("container %s", [lib.container(c)])},
	"message": sprintf("container %s is privileged: it is root on the host", [lib.container(c)]),
	"evidence": [sprintf("%s: all capabilities, no seccomp profile, all devices", [lib.specs(c)])],
	"remediation": [{"kind": "config", "text": sprintf("recreate container %s without --privileged", [lib.container(c)])}],
} if {
	some c in input.containers
	c.privileged
	not lib.own(c) # a user's container is no more than its processes are
}

unknown contains {
	"resource": {"kind": "workload", "key": sprintf("container %s", [lib.container(c)])},
	"reason": sprintf("its specification was not read: %s", [c.unread]),
} if {
	some c in input.containers
	object.get(c, "unread", "") != ""
	not c.running # else its processes tell
}
