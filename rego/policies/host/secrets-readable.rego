# METADATA
# title: Others can read secrets of root
# description: >-
#   Private keys and credentials of root's (TLS, VPNs, clouds, registries) can be read by another
#   account of the host: by the mode of the file, and a way through every directory above it. Who
#   reads them is root elsewhere, or answers in the place of this host. The group that systems have
#   for readers (ssl-cert) is left out. Hashes of passwords and keys of SSH are told of by
#   power/reads-secrets.
# custom:
#   severity: high
#   reads: [system.readable]
#   remediation: >-
#     Give the file to root and take the permission to read from group and others; then change what
#     was in it.
#   references:
#     cis: ["Debian 12 v1.1.0 7.1.11"]
#     nist: ["AC-3", "IA-5(1)"]
#     attack: ["T1003.008", "T1552.001"]
#     cwe: ["CWE-732", "CWE-522"]
package ringfence.host.secrets_readable

import data.ringfence.lib

finding contains {
	"resource": {"kind": "file", "key": f.path, "path": f.path},
	"message": sprintf("other accounts can read %s", [f.path]),
	"evidence": [f.who],
	"remediation": [{"kind": "command", "text": sprintf("chown root:root %s && chmod 600 %s", [lib.quoted(f.path), lib.quoted(f.path)])}],
} if {
	some f in input.readableSecrets
	f.kind in {"key"}
}
