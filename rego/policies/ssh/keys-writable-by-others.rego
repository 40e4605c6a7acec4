# METADATA
# title: Others can write the keys by which an account logs in
# description: >-
#   Somebody besides the account and root can write its authorized_keys file, or a directory above
#   it. They add a key and are that account: root, where the account is root. StrictModes makes
#   sshd refuse some of these files, and takes no notice of access control lists. Files that
#   AuthorizedKeysFile, AuthorizedPrincipalsFile and TrustedUserCAKeys of the host's own servers
#   name are looked at too: of authorities StrictModes asks nothing.
# custom:
#   severity: high
#   reads: [ssh.keys]
#   remediation: >-
#     Give the file and the directories above it to the account, and take the permission to write
#     from group and others.
#   references:
#     nist: ["AC-3", "AC-6"]
#     attack: ["T1098.004"]
#     cwe: ["CWE-732"]
package ringfence.ssh.keys_writable_by_others

finding contains {
	"resource": {"kind": "file", "key": f.path, "path": f.path},
	"message": sprintf("%s: %s", [_message(f), f.writable]),
	"severity": _severity(f),
	"evidence": [f.writable],
	"remediation": [{"kind": "words", "text": sprintf("chown the file and the directories above it to %s, and chmod go-w them", [_owner(f)])}],
} if {
	some f in input.keyFiles
}

_message(f) := "somebody else than root can write the authorities whose certificates log every account in" if {
	object.get(f, "what", "") == "authorities"
} else := sprintf("somebody else than %s can write the names for which a certificate logs it in", [f.user]) if {
	object.get(f, "what", "") == "principals"
} else := sprintf("somebody else than %s can write the keys by which it logs in", [f.user])

_owner(f) := "root" if {
	f.user in {"", "root"}
} else := sprintf("%s or root", [f.user])

_severity(f) := "critical" if f.user in {"", "root"}

else := "high"
