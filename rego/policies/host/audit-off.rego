# METADATA
# title: The kernel records nothing for the audit
# description: >-
#   The audit subsystem of the kernel is off or missing: who became root, which program was started
#   and which file was changed is written down nowhere that root cannot change. It is one of the
#   first things that somebody switches off.
# custom:
#   severity: low
#   reads: [kernel.facts]
#   remediation: >-
#     Install auditd with rules, and end them with -e 2, which keeps them until the next start.
#   references:
#     cis: ["Debian 12 v1.1.0 6.2.1.2", "Debian 12 v1.1.0 6.2.3.20"]
#     nist: ["AU-12", "AU-9"]
#     attack: ["T1562.012"]
#     cwe: ["CWE-778"]
package ringfence.host.audit_off

_audit := object.get(input.kernel.facts, "audit", {"state": "error"})

finding contains {
	"resource": {"kind": "kernel", "key": "audit"},
	"message": _message,
	"evidence": [sprintf("audit enabled: %s", [_shown])],
	"remediation": [{"kind": "words", "text": "install auditd, load rules, and end them with -e 2"}],
} if {
	_off
}

_off if _audit.state == "absent"

_off if {
	_audit.state == "present"
	_audit.value == "0"
}

_message := "the kernel has no audit" if _audit.state == "absent"

else := "the audit of the kernel is off: nothing is recorded"

_shown := _audit.value if _audit.state == "present"

else := _audit.state

unknown contains {"resource": {"kind": "kernel", "key": "audit"}, "reason": "whether the audit is on could not be asked"} if {
	not _audit.state in {"present", "absent"}
}
