# METADATA
# title: Others can read credentials of the cluster
# description: >-
#   A kubeconfig, token or private key of a Kubernetes cluster can be read by another account of
#   the host. The one of an administrator gives every secret and every node of the cluster, this
#   one included; k3s is often told to write it for everybody (--write-kubeconfig-mode).
# custom:
#   severity: high
#   reads: [system.readable]
#   remediation: >-
#     Give the file to root and take the permission to read from others; then have its credentials
#     made anew.
#   references:
#     nist: ["AC-3", "AC-6"]
#     attack: ["T1552.001", "T1528"]
#     cwe: ["CWE-732", "CWE-522"]
package ringfence.runtime.cluster_credentials_readable

import data.ringfence.lib

finding contains {
	"resource": {"kind": "file", "key": f.path, "path": f.path},
	"message": sprintf("other accounts can read credentials of the cluster in %s", [f.path]),
	"evidence": [f.who],
	"remediation": [{"kind": "command", "text": sprintf("chown root:root %s && chmod 600 %s", [lib.quoted(f.path), lib.quoted(f.path)])}],
} if {
	some f in input.readableSecrets
	f.kind in {"cluster"}
}
