# METADATA
# title: An SSH server runs in a container
# description: >-
#   A container has an SSH server of its own: a second way in, with accounts, keys and versions
#   that nobody who looks after the host sees, and a lasting foothold for who got into the
#   container. Containers are looked into by their runtime (docker exec, kubectl exec).
# custom:
#   severity: low
#   reads: [ssh.configs, ssh.servers]
#   remediation: >-
#     Take the server out of the image, and use exec of the runtime.
#   references:
#     cis: ["Docker v1.6.0 5.7"]
#     nist: ["CM-7"]
#     attack: ["T1021.004"]
#     cwe: ["CWE-1188"]
package ringfence.ssh.server_in_container

finding contains {
	"resource": {"kind": "sshd", "key": srv.key},
	"message": sprintf("%s has an SSH server (%s)", [srv.of, srv.kind]),
	"evidence": [sprintf("%s, configured by %s", [srv.kind, srv.config])],
	"remediation": [{"kind": "words", "text": "take the SSH server out of the image; exec of the runtime gives a shell in it"}],
} if {
	some srv in input.ssh.servers
	startswith(srv.of, "container ")
}
