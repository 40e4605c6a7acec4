# METADATA
# title: A network namespace has no process and no name
# description: >-
#   Something keeps a network namespace alive in which nothing runs and which no file names: a
#   descriptor or a socket that was handed on. Its interfaces, addresses and rules are still there.
#   A tool that did not clean up leaves one, and so does somebody who wants a network that no list
#   shows.
# custom:
#   severity: low
#   reads: [network]
#   remediation: >-
#     Find who holds it (lsns -t net, ls -l /proc/*/fd), and end that or delete its interfaces.
#   references:
#     nist: ["CM-8", "SC-7"]
#     attack: ["T1564"]
#     cwe: ["CWE-459"]
package ringfence.zone.forgotten_namespace

finding contains {
	"resource": {"kind": "netns", "key": n.key},
	"message": sprintf("a network namespace without a process or a name is kept alive (%s)", [n.key]),
	"evidence": [sprintf("network namespace %d: no process, no file; interfaces of the host that lead there: %s", [n.inode, _links(n)])],
	"remediation": [{"kind": "words", "text": "find who holds a descriptor or a socket of it, and end that; delete the interface of the host that leads there"}],
} if {
	some n in input.lostNamespaces
}

_links(n) := concat(", ", n.links) if count(n.links) > 0

else := "none"
