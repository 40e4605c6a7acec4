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

finding contains {
	"resource": {"kind": "sysctl", "key": name},
	"message": sprintf("%s is %s: %s", [name, input.sysctls[name].value, row.why]),
	"severity": row.severity,
	"evidence": [sprintf("/proc/sys/%s = %s", [replace(name, ".", "/"), input.sysctls[name].value])],
	"remediation": [{"kind": "sysctl", "settings": [{"name": name, "value": sort(row.good)[0]}]}],
} if {
	some name, row in _baseline
	input.sysctls[name].state == "present"
	not input.sysctls[name].value in row.good
}

finding contains {
	"resource": {"kind": "sysctl", "key": name},
	"message": sprintf("the kernel does not have %s: %s", [name, row.why]),
	"severity": "low",
	"evidence": [sprintf("/proc/sys/%s does not exist", [replace(name, ".", "/")])],
	"remediation": [{"kind": "words", "text": "use a kernel that is built with it"}],
} if {
	some name, row in _baseline
	row.absent
	input.sysctls[name].state == "absent"
}

unknown contains {"resource": {"kind": "sysctl", "key": name}, "reason": "it could not be read"} if {
	some name, _ in _baseline
	not object.get(input.sysctls, [name, "state"], "error") in {"present", "absent"}
}
