# METADATA
# title: A container has no profile of the security module that the host enforces
# description: >-
#   The host has AppArmor or SELinux in force, and the container's processes are unconfined. The
#   profile is what keeps root in a container from the kernel's files if a mount or a capability
#   is given by mistake.
# custom:
#   severity: medium
#   reads: [processes.power, runtimes, agents, kernel.facts]
#   remediation: >-
#     Remove apparmor=unconfined or label=disable and let the runtime give its default profile.
#   references:
#     cis: ["Docker v1.6.0 5.2", "Docker v1.6.0 5.3"]
#     nist: ["AC-3(3)", "SC-39"]
#     attack: ["T1611"]
#     cwe: ["CWE-693"]
package ringfence.capability.workload_unconfined

_apparmor if {
	input.kernel.facts.lsm.state == "present"
	"apparmor" in split(input.kernel.facts.lsm.value, ",")
	object.get(input.kernel.facts, ["apparmor", "value"], "") != ""
}

_selinux if {
	input.kernel.facts.selinux.state == "present"
	input.kernel.facts.selinux.value == "1"
}

_free(lsm) if {
	_apparmor
	lsm == "unconfined"
}

_free(lsm) if {
	_selinux
	regex.match(`:(spc_t|unconfined_t|unconfined_service_t):`, lsm)
}

finding contains {
	"resource": {"kind": "workload", "key": w.key},
	"message": sprintf("%s runs without the profile that other containers have (%s)", [w.name, w.lsm]),
	"evidence": [sprintf("%s (%s): /proc/PID/attr/current is %s", [w.name, w.process, w.lsm])],
	"remediation": [{"kind": "config", "text": sprintf("recreate %s without --security-opt apparmor=unconfined or label=disable", [w.name])}],
} if {
	some w in input.workloads
	w.container != ""
	w.hostUser
	not _privileged(w)
	_free(w.lsm)
}

# Whatever is privileged has none by design; capability/privileged-container tells of it.
_privileged(w) if {
	w.fullCaps
	w.seccomp == 0
}

unknown contains {
	"resource": {"kind": "host", "key": "security modules"},
	"reason": "which security modules are in force is not known (securityfs)",
} if {
	count(input.workloads) > 0
	not input.kernel.facts.lsm.state in {"present", "absent"}
	not _selinux
}

not_applicable := "no security module with profiles is in force, or no workload runs" if {
	not _apparmor
	not _selinux
	input.kernel.facts.lsm.state in {"present", "absent"}
}

not_applicable := "no security module with profiles is in force, or no workload runs" if count(input.workloads) == 0
