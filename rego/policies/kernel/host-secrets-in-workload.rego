# METADATA
# title: A workload can read secrets of the host
# description: >-
#   A directory with keys, passwords or tokens of the host or of its users is mounted into a
#   container that can read it: /etc with the password hashes, SSH keys, cloud and cluster
#   credentials. Read-only does not help against copying.
# custom:
#   severity: high
#   reads: [runtimes, processes.power, agents]
#   remediation: >-
#     Mount single files that hold no secret, or give the workload a credential of its own.
#   references:
#     cis: ["Docker v1.6.0 5.6"]
#     nist: ["SC-39", "AC-6"]
#     attack: ["T1552.001", "T1003.008"]
#     cwe: ["CWE-522"]
package ringfence.kernel.host_secrets_in_workload

import data.ringfence.lib

# Directories that have secrets of the host in them, if they are mounted whole.
_whole := {"/", "/etc", "/root", "/home", "/var", "/var/lib", "/var/lib/kubelet", "/var/lib/docker", "/var/lib/containerd", "/etc/ssl"}

_parts := {
	"/etc/shadow", "/etc/gshadow", "/etc/ssh", "/etc/kubernetes", "/etc/rancher", "/etc/ssl/private", "/etc/wireguard", "/var/lib/kubelet/pki",
	"/etc/krb5.keytab", "/etc/letsencrypt", "/var/lib/tailscale",
}

# Beside a home directory: what is in it logs in elsewhere.
_of_home := {".ssh", ".aws", ".kube", ".azure", ".config/gcloud", ".gnupg", ".docker", ".netrc", ".git-credentials", ".openclaw", ".pgpass"}

finding contains {
	"resource": {"kind": "mount", "key": sprintf("%s in container %s", [m.source, lib.container(c)]), "path": m.source},
	"message": sprintf("container %s can read %s in %s of the host", [lib.container(c), kind, m.source]),
	"severity": _severity(kind),
	"evidence": [sprintf("%s of the host is mounted at %s", [m.source, m.dest])],
	"remediation": [{"kind": "config", "text": sprintf("recreate container %s without the mount of %s", [lib.container(c), m.source])}],
} if {
	some c in input.containers
	lib.rooted(c, input.workloads)
	some m in lib.list(c, "mounts")
	kind := _kind(m.source)
	not _told(c, m)
}

_told(c, m) if {
	some o in lib.list(c, "mounts")
	o.source != m.source
	_kind(o.source)
	lib.below(m.source, trim_suffix(o.source, "/"))
}

_kind(p) := "password hashes and keys" if p in _whole

else := "keys or password hashes" if {
	some dir in _parts
	lib.below(p, dir)
	not endswith(p, ".pub")
} else := "credentials of a user" if {
	some name in _of_home
	regex.match(`^(/root|/home/[^/]+)$`, _home(p, name))
}

_home(p, name) := substring(p, 0, indexof(p, sprintf("/%s", [name]))) if {
	some tail in [sprintf("/%s", [name]), sprintf("/%s/", [name])]
	contains(sprintf("%s/", [p]), tail)
}

_severity("credentials of a user") := "medium"

_severity(kind) := "high" if kind != "credentials of a user"

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
