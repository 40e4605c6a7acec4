# METADATA
# title: Workloads can use io_uring
# description: >-
#   What io_uring does for a program no seccomp filter sees, and a large part of the kernel flaws
#   of recent years is in it. Docker since 25.0 and containerd since 2.0 keep it from containers;
#   older ones do not. One finding for the host.
# custom:
#   severity: low
#   reads: [runtimes, kernel.sysctls, network]
#   remediation: >-
#     Set kernel.io_uring_disabled to 1 (privileged users alone) or 2, or update the runtime.
#   references:
#     nist: ["CM-7", "SC-39"]
#     attack: ["T1068"]
#     cwe: ["CWE-653"]
package ringfence.kernel.io_uring_in_workloads

import data.ringfence.lib

_users := {lib.container(c) |
	some c in input.containers
	c.running
	"io_uring_setup" in lib.list(object.get(c, "filter", {}), "allows")
}

_off if input.sysctls["kernel.io_uring_disabled"].value in {"1", "2"}

finding contains {
	"resource": {"kind": "sysctl", "key": "kernel.io_uring_disabled"},
	"message": sprintf("the containers %s can use io_uring, past their seccomp filters", [lib.join(sort(_users))]),
	"evidence": [sprintf("the profiles of %d containers let io_uring_setup through, and kernel.io_uring_disabled is 0", [count(_users)])],
	"remediation": [{"kind": "sysctl", "settings": [{"name": "kernel.io_uring_disabled", "value": "1"}]}],
} if {
	count(_users) > 0
	input.sysctls["kernel.io_uring_disabled"].state == "present"
	not _off
}

unknown contains {"resource": {"kind": "sysctl", "key": "kernel.io_uring_disabled"}, "reason": "the setting could not be read"} if {
	count(_users) > 0
	not object.get(input.sysctls, ["kernel.io_uring_disabled", "state"], "error") in {"present", "absent"}
}

# A kernel before 6.6 has io_uring without a switch.
unknown contains {"resource": {"kind": "sysctl", "key": "kernel.io_uring_disabled"}, "reason": "the kernel does not have the setting, and whether it has io_uring is not told"} if {
	count(_users) > 0
	object.get(input.sysctls, ["kernel.io_uring_disabled", "state"], "error") == "absent"
}

unknown contains {
	"resource": {"kind": "workload", "key": sprintf("container %s", [lib.container(c)])},
	"reason": "what its filter lets through is not known",
} if {
	some c in input.containers
	c.running
	c.seccomp
	not c.filter
	not _off
}

not_applicable := "no container was found" if count(input.containers) == 0
