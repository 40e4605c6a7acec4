# METADATA
# title: The system differs from the image that was booted
# description: >-
#   The host was booted from an image (ostree, bootc), and /usr is writable or has an overlay:
#   somebody unlocked it. What runs is no longer what was built and signed, and the next start may
#   or may not bring it back.
# custom:
#   severity: medium
#   reads: [kernel.facts]
#   remediation: >-
#     Start anew from the image (a transient overlay is gone then), or roll back (rpm-ostree
#     rollback, bootc rollback) and put the change into the image.
#   references:
#     nist: ["CM-5", "SI-7"]
#     attack: ["T1554"]
#     cwe: ["CWE-353"]
package ringfence.host.image_changed

import data.ringfence.lib

_ostree := object.get(input.kernel.facts, ["ostree", "state"], "error")

finding contains {
	"resource": {"kind": "host", "key": m.path},
	"message": sprintf("%s can be changed although the host was booted from an image", [m.path]),
	"evidence": [sprintf("%s is %s from %s, %s", [m.path, m.fsType, object.get(m, "source", "unknown"), _mode(m)])],
	"remediation": [{"kind": "words", "text": "start anew from the image, and put the change into the image"}],
} if {
	_ostree == "present"
	some m in lib.list(input.kernel, "mounts")
	m.path == "/usr"
	not m.readOnly
}

_mode(m) := "read-only" if m.readOnly

else := "writable"

not_applicable := "the host was not booted from an image" if _ostree == "absent"

unknown contains {"resource": {"kind": "host", "key": "/usr"}, "reason": "how the host was booted could not be read"} if {
	not _ostree in {"present", "absent"}
}
