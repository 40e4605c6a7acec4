# METADATA
# title: A kernel setting is below the baseline
# description: >-
#   Settings of the running kernel that make it harder to go from a process to root, read live.
#   A setting that the kernel does not have is judged by what its absence means: no loadable
#   modules is better than a locked list, no Yama is worse.
# custom:
#   severity: medium
#   reads: [kernel.sysctls, network]
#   remediation: >-
#     Set the values in a file under /etc/sysctl.d and load it.
#   references:
#     cis: ["Debian 12 v1.1.0 1.5.1", "Debian 12 v1.1.0 1.5.2", "Debian 12 v1.1.0 3.3.7"]
#     nist: ["CM-6", "SI-16"]
#     attack: ["T1068"]
#     cwe: ["CWE-1188"]
package ringfence.host.kernel_baseline

# Each setting with the values that are good, what it is for, and whether its absence is bad.
_baseline := {
	"kernel.randomize_va_space": {"good": {"2"}, "why": "address space randomisation", "severity": "high", "absent": true},
	"kernel.yama.ptrace_scope": {"good": {"1", "2", "3"}, "why": "processes may trace each other", "severity": "medium", "absent": true},
	"kernel.kptr_restrict": {"good": {"1", "2"}, "why": "kernel addresses are shown", "severity": "low", "absent": true},
	"kernel.dmesg_restrict": {"good": {"1"}, "why": "everybody reads the kernel log", "severity": "low", "absent": true},
	"kernel.unprivileged_bpf_disabled": {"good": {"1", "2"}, "why": "everybody may load BPF programs", "severity": "high", "absent": false},
	"kernel.perf_event_paranoid": {"good": {"2", "3", "4"}, "why": "everybody may profile the kernel", "severity": "low", "absent": false},
	"vm.unprivileged_userfaultfd": {"good": {"0"}, "why": "everybody may stall kernel faults", "severity": "medium", "absent": false},
	"dev.tty.legacy_tiocsti": {"good": {"0"}, "why": "terminal input can be faked", "severity": "low", "absent": false},
	"fs.protected_symlinks": {"good": {"1"}, "why": "link races in shared directories", "severity": "medium", "absent": true},
	"fs.protected_hardlinks": {"good": {"1"}, "why": "link races in shared directories", "severity": "medium", "absent": true},
	"fs.suid_dumpable": {"good": {"0", "2"}, "why": "setuid programs leave core dumps", "severity": "medium", "absent": true},
	"net.core.bpf_jit_harden": {"good": {"1", "2"}, "why": "BPF code can be sprayed", "severity": "low", "absent": false},
	"net.ipv4.conf.all.accept_redirects": {"good": {"0"}, "why": "neighbours may change routes", "severity": "low", "absent": false},
	"net.ipv4.conf.all.accept_source_route": {"good": {"0"}, "why": "senders may choose the route", "severity": "medium", "absent": false},
	"net.ipv4.conf.all.route_localnet": {"good": {"0"}, "why": "loopback services can be reached from networks", "severity": "high", "absent": false},
}

# What is weaker than it should be, and what there is of it in the kernel.
_weak[name] := {"text": sprintf("%s is %s: %s", [name, input.sysctls[name].value, row.why]), "severity": row.severity, "absent": false} if {
	some name, row in _baseline
	input.sysctls[name].state == "present"
	not input.sysctls[name].value in row.good
}

_weak[name] := {"text": sprintf("the kernel does not have %s: %s", [name, row.why]), "severity": "low", "absent": true} if {
	some name, row in _baseline
	row.absent
	input.sysctls[name].state == "absent"
}

_read(name) := sprintf("/proc/sys/%s does not exist", [replace(name, ".", "/")]) if {
	_weak[name].absent
} else := sprintf("/proc/sys/%s = %s", [replace(name, ".", "/"), input.sysctls[name].value])

_settings(names) := [{"name": name, "value": sort(_baseline[name].good)[0]} | some name in names; not _weak[name].absent]

finding contains {
	"resource": {"kind": "sysctl", "key": name},
	"message": w.text,
	"severity": w.severity,
	"evidence": [_read(name)],
	"remediation": [{"kind": "sysctl", "settings": _settings([name])}],
} if {
	some name, w in _weak
	w.severity != "low"
}

# Those of low weight are one finding: a host as its distribution sets it up has several.
_low := sort([name | some name, w in _weak; w.severity == "low"])

finding contains {
	"resource": {"kind": "sysctl", "key": "settings of low weight"},
	"message": _several(_low),
	"severity": "low",
	"evidence": [sprintf("%s (%s)", [_weak[name].text, _read(name)]) | some name in _low],
	"remediation": _advice(_settings(_low)),
} if {
	count(_low) > 0
}

_several(names) := _weak[names[0]].text if {
	count(names) == 1
} else := sprintf("%d kernel settings are weaker than they could be: %s", [count(names), concat(", ", names)])

_advice(settings) := [{"kind": "sysctl", "settings": settings}] if {
	count(settings) > 0
} else := [{"kind": "words", "text": "use a kernel that is built with it"}]

unknown contains {"resource": {"kind": "sysctl", "key": name}, "reason": "it could not be read"} if {
	some name, _ in _baseline
	not object.get(input.sysctls, [name, "state"], "error") in {"present", "absent"}
}
