# METADATA
# title: Others can write the keys by which an account logs in
# description: >-
#   Somebody besides the account and root can write its authorized_keys file, or a directory above
#   it. They add a key and are that account: root, where the account is root. StrictModes makes
#   sshd refuse some of these files, and takes no notice of access control lists.
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
	"message": sprintf("somebody else than %s can write the keys by which it logs in: %s", [f.user, f.writable]),
	"severity": _severity(f),
	"evidence": [f.writable],
	"remediation": [{"kind": "words", "text": sprintf("chown the file and the directories above it to %s or root, and chmod go-w them", [f.user])}],
} if {
	some f in input.keyFiles
}

_severity(f) := "critical" if f.user == "root"

else := "high"
