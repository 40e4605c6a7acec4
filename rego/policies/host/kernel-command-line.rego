# METADATA
# title: The kernel was started with its defences off
# description: >-
#   The command line of the kernel switches off what protects it: mitigations of the processor,
#   address space randomisation, a security module, signatures or lockdown, or it opens a shell
#   without a password (init=/bin/sh, systemd.debug-shell, single). Somebody needed it once, and
#   the boot loader still has it.
# custom:
#   severity: medium
#   reads: [kernel.boot]
#   remediation: >-
#     Take the parameter out of the boot loader (GRUB_CMDLINE_LINUX in /etc/default/grub,
#     update-grub) and start anew.
#   references:
#     cis: ["Debian 12 v1.1.0 1.3.1.2"]
#     nist: ["CM-6", "SI-16"]
#     attack: ["T1542", "T1562"]
#     cwe: ["CWE-693"]
package ringfence.host.kernel_command_line

# What is bad, why, and how bad. A name alone is a parameter without a value, or one whose value is not kept.
_bad := {
	"rd.break": {"why": "the start stops at a shell of root", "severity": "high"},
	"mitigations=off": {"why": "processes read each other by the processor", "severity": "medium"},
	"nopti": {"why": "processes read the kernel by the processor", "severity": "medium"},
	"pti=off": {"why": "processes read the kernel by the processor", "severity": "medium"},
	"nospectre_v1": {"why": "processes read each other by the processor", "severity": "medium"},
	"nospectre_v2": {"why": "processes read each other by the processor", "severity": "medium"},
	"spectre_v2=off": {"why": "processes read each other by the processor", "severity": "medium"},
	"mds=off": {"why": "processes read each other by the processor", "severity": "medium"},
	"l1tf=off": {"why": "machines read the memory of the host by the processor", "severity": "medium"},
	"nokaslr": {"why": "addresses of the kernel are known beforehand", "severity": "medium"},
	"nosmep": {"why": "the kernel may execute memory of processes", "severity": "medium"},
	"nosmap": {"why": "the kernel may read memory of processes", "severity": "medium"},
	"selinux=0": {"why": "SELinux is off", "severity": "medium"},
	"enforcing=0": {"why": "SELinux only warns", "severity": "medium"},
	"apparmor=0": {"why": "AppArmor is off", "severity": "medium"},
	"module.sig_enforce=0": {"why": "modules need no signature", "severity": "medium"},
	"lockdown=none": {"why": "root may change the running kernel", "severity": "low"},
	"iommu=off": {"why": "devices reach all memory", "severity": "medium"},
	"intel_iommu=off": {"why": "devices reach all memory", "severity": "medium"},
	"amd_iommu=off": {"why": "devices reach all memory", "severity": "medium"},
	"ima_appraise=off": {"why": "signatures of files are not checked", "severity": "medium"},
	"ima_appraise=fix": {"why": "signatures of files are made anew in place of being checked", "severity": "medium"},
	"audit=0": {"why": "the kernel records nothing for the audit", "severity": "low"},
	"audit=off": {"why": "the kernel records nothing for the audit", "severity": "low"},
	"kgdboc": {"why": "who has the console debugs the kernel", "severity": "high"},
	"vsyscall=emulate": {"why": "code at known addresses is in every process", "severity": "low"},
	"vsyscall=native": {"why": "code at known addresses is in every process", "severity": "low"},
}

# A shell or a rescue in the place of the init.
_shell(word) if regex.match(`^(rd)?init=.*/(sh|bash|dash|ash|busybox|zsh)$`, word)

_shell(word) if regex.match(`^systemd\.unit=(rescue|emergency)(\.target)?$`, word)

_shell(word) if word in {"single", "rescue", "emergency", "-b", "1", "s", "S"}

_debug(word) if regex.match(`^systemd\.debug[-_]shell(=(1|y|yes|t|true|on|/dev/.*|tty.*))?$`, word)

_words := split(input.commandLine.value, " ")

_found[word] := _bad[word] if some word in _words

_found[word] := {"why": "the system starts with a shell of root", "severity": "high"} if {
	some word in _words
	_shell(word)
}

_found[word] := {"why": "a shell of root on a console asks for no password", "severity": "high"} if {
	some word in _words
	_debug(word)
}

finding contains {
	"resource": {"kind": "kernel", "key": word},
	"message": sprintf("the kernel was started with %s: %s", [word, row.why]),
	"severity": row.severity,
	"evidence": [sprintf("/proc/cmdline has %s", [word])],
	"remediation": [{"kind": "words", "text": sprintf("take %s out of the command line of the kernel in the boot loader, and start anew", [word])}],
} if {
	input.commandLine.state == "present"
	some word, row in _found
}

unknown contains {"resource": {"kind": "kernel", "key": "command line"}, "reason": "/proc/cmdline could not be read"} if {
	object.get(input.commandLine, "state", "error") != "present"
}
