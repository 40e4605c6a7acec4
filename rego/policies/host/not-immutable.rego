# METADATA
# title: Nothing shows that the host is immutable
# description: >-
#   The usual threat model protects the workloads and assumes that the host is hardened and
#   immutable. None of the evidence for it was found: a read-only root or /usr, dm-verity, or a
#   booted image (ostree, bootc). A program that gets root can change the system for good. Where no
#   workload runs, nothing is kept in by that, and most systems are so: it is low.
# custom:
#   severity: medium
#   reads: [kernel.facts, processes.power, runtimes, agents]
#   remediation: >-
#     Use an image based system, or mount /usr read-only with dm-verity; else treat the host as
#     mutable and watch it.
#   references:
#     nist: ["SI-7", "CM-5"]
#     attack: ["T1554"]
#     cwe: ["CWE-353"]
package ringfence.host.not_immutable

import data.ringfence.lib

finding contains {
	"resource": {"kind": "host", "key": "root file system"},
	"message": "the system files of the host can be changed by whoever becomes root",
	"severity": _severity,
	"evidence": array.concat(
		[sprintf("%s is %s, %s", [m.path, m.fsType, _mode(m)]) | some m in _system],
		[sprintf("lockdown: %s, Secure Boot: %s, ostree: %s", [
			_show("lockdown"), _show("secureBoot"), input.kernel.facts.ostree.state,
		])],
	),
	"remediation": [{"kind": "words", "text": "boot an image based system, or mount /usr read-only from a dm-verity device"}],
} if {
	count(_system) > 0
	not _immutable
}

_severity := "medium" if {
	count(input.workloads) > 0
} else := "low"

_system := [m | some m in lib.list(input.kernel, "mounts"); m.path in {"/", "/usr"}]

_mode(m) := "read-only" if {
	m.readOnly
} else := "writable"

# Where /usr is a mount of its own, what is below it does not count: each mount there has to be one that nobody writes.
_programs := [m | some m in _system; m.path == "/usr"]

_deciding := _programs if count(_programs) > 0

else := _system

_immutable if {
	count(_deciding) > 0
	every m in _deciding {
		_kept(m)
	}
}

_kept(m) if m.readOnly

_kept(m) if m.verity

_immutable if input.kernel.facts.ostree.state == "present"

_show(name) := v if {
	f := input.kernel.facts[name]
	f.state == "present"
	v := f.value
} else := input.kernel.facts[name].state

unknown contains {"resource": {"kind": "host", "key": "root file system"}, "reason": "no mount of the system was seen"} if {
	count(_system) == 0
	not _immutable
}
