# METADATA
# title: No security module confines programs
# description: >-
#   Neither SELinux nor AppArmor nor another security module enforces anything on this host. A
#   service that is broken into, and a container whose runtime relies on a profile, has all that
#   its user may do. SELinux that only warns counts as none.
# custom:
#   severity: low
#   reads: [kernel.facts, processes.power, runtimes, agents]
#   remediation: >-
#     Start with AppArmor or SELinux (lsm=, security=), and set SELinux to enforcing.
#   references:
#     cis: ["Debian 12 v1.1.0 1.3.1.1", "Debian 12 v1.1.0 1.3.1.4"]
#     nist: ["AC-3(3)"]
#     attack: ["T1562.001"]
#     cwe: ["CWE-693"]
package ringfence.host.no_security_module

_state(name) := object.get(input.kernel.facts, [name, "state"], "error")

_value(name) := input.kernel.facts[name].value

_enforcing if {
	_state("selinux") == "present"
	_value("selinux") == "1"
}

_enforcing if {
	_state("apparmor") == "present"
	contains(_value("apparmor"), "(enforce)")
}

_enforcing if {
	_state("lsm") == "present"
	regex.match(`(^|,)(smack|tomoyo)(,|$)`, _value("lsm"))
}

# Where the list of modules was read and has none of them, nothing more has to be known.
_none if {
	_state("lsm") == "present"
	not regex.match(`(^|,)(selinux|apparmor|smack|tomoyo)(,|$)`, _value("lsm"))
}

_none if {
	_state("selinux") == "present"
	_value("selinux") == "0"
	not _state("apparmor") == "present"
}

# AppArmor that is on and has no profile loaded that enforces.
_none if {
	_state("lsm") == "present"
	contains(_value("lsm"), "apparmor")
	_state("apparmor") == "present"
	not contains(_value("apparmor"), "(enforce)")
}

finding contains {
	"resource": {"kind": "kernel", "key": "security module"},
	"message": "no security module confines programs of this host",
	"severity": _severity,
	"evidence": [sprintf("modules: %s; SELinux enforcing: %s", [_show("lsm"), _show("selinux")])],
	"remediation": [{"kind": "words", "text": "start with AppArmor (lsm=landlock,lockdown,yama,integrity,apparmor,bpf) and load its profiles, or set SELinux to enforcing"}],
} if {
	_none
	not _enforcing
}

_severity := "medium" if {
	some w in input.workloads
	w.hostUser
} else := "low"

_show(name) := _value(name) if _state(name) == "present"

else := _state(name)

unknown contains {"resource": {"kind": "kernel", "key": "security module"}, "reason": sprintf("which modules the kernel has is not known (lsm: %s, apparmor: %s)", [_state("lsm"), _state("apparmor")])} if {
	not _none
	not _enforcing
}
