# METADATA
# title: A workload can write system files of the host
# description: >-
#   A directory that decides what runs on the host (/etc, /root, /usr, /boot, the state of a
#   runtime or of systemd) is mounted into a container and can be written there. A file more in
#   it is a program that root of the host starts. What is mounted below a read-only mount is
#   writable all the same, unless it is made read-only too.
# custom:
#   severity: critical
#   reads: [runtimes, processes.power, agents]
#   remediation: >-
#     Mount the one file or directory that the workload needs, read-only, instead of the system's.
#   references:
#     cis: ["Docker v1.6.0 5.6", "Docker v1.6.0 5.20"]
#     nist: ["SC-39", "AC-6"]
#     attack: ["T1611"]
#     cwe: ["CWE-732"]
package ringfence.kernel.host_path_writable_in_workload

import data.ringfence.lib

# Directories of which a container gets everything, if it gets them whole.
_whole := {
	"/", "/etc", "/root", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/boot", "/var", "/var/lib", "/var/lib/docker", "/var/lib/containerd",
	"/var/lib/containers", "/var/lib/containers/storage", "/var/lib/kubelet", "/run", "/run/systemd", "/dev", "/home", "/etc/systemd/system",
}

# Directories and files in which whatever is written runs, or decides who is root.
_parts := {
	"/etc/cron.d", "/etc/cron.daily", "/etc/cron.hourly", "/etc/crontab", "/var/spool/cron", "/etc/systemd", "/etc/sudoers", "/etc/sudoers.d",
	"/etc/passwd", "/etc/shadow", "/etc/group", "/etc/pam.d", "/etc/ssh", "/etc/ld.so.preload", "/etc/ld.so.conf.d", "/etc/profile.d",
	"/etc/docker", "/etc/containerd", "/etc/kubernetes", "/etc/cni", "/root/.ssh", "/root/.bashrc", "/root/.profile", "/usr/local", "/usr/bin",
	"/usr/sbin", "/usr/lib", "/usr/libexec", "/lib/modules", "/lib/systemd", "/boot", "/run/systemd/system", "/run/systemd/transient",
	"/var/lib/kubelet/pki", "/etc/udev", "/etc/init.d", "/etc/apt",
}

finding contains {
	"resource": {"kind": "mount", "key": sprintf("%s in container %s", [m.source, lib.container(c)]), "path": m.source},
	"message": _message(c, m),
	"severity": _severity(c),
	"evidence": [sprintf("%s of the host is mounted writable at %s", [m.source, m.dest])],
	"remediation": [
		{"kind": "config", "text": sprintf("recreate container %s without the mount of %s", [lib.container(c), m.source])},
		{"kind": "config", "text": sprintf("or with %s read-only, as what is mounted below it (:ro,rslave does not make that read-only; bind-recursive=readonly does)", [m.source])},
	],
} if {
	some c in input.containers
	_counts(c)
	some m in lib.list(c, "mounts")
	m.rw
	_system(m.source)
	not _told(c, m)
}

# A container that holds several of them is told of by the widest.
_told(c, m) if {
	some o in lib.list(c, "mounts")
	o.rw
	o.source != m.source
	_system(o.source)
	lib.below(m.source, trim_suffix(o.source, "/"))
}

_counts(c) if not lib.own(c)

_counts(c) if c.running

_system(p) if p in _whole

_system(p) if {
	some dir in _parts
	lib.below(p, dir)
	not p in {"/etc/docker/certs.d"}
}

_message(c, m) := sprintf("container %s can change %s of the host, and with it what root runs", [lib.container(c), m.source]) if {
	_severity(c) == "critical"
} else := sprintf("container %s has %s of the host writable; the permissions of its files alone hold it back", [lib.container(c), m.source])

_severity(c) := "critical" if {
	lib.rooted(c, input.workloads)
} else := "low"

unknown contains {
	"resource": {"kind": "workload", "key": sprintf("container %s", [lib.container(c)])},
	"reason": sprintf("what of the host is mounted in it was not seen: %s", [_why(c)]),
} if {
	some c in input.containers
	_why(c)
}

_why(c) := c.unread if {
	not c.running
	object.get(c, "unread", "") != ""
} else := lib.blind(c)

not_applicable := "no container was found" if count(input.containers) == 0
