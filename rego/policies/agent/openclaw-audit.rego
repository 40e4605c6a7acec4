# METADATA
# title: OpenClaw's own audit has findings, or leaves some out
# description: >-
#   "openclaw security audit" looks at the configuration of a gateway from inside, and ringfence at
#   the host around it. What its report says is told here as it is, of its critical findings and
#   warnings. A report speaks for whoever can write its file: only root's clears anything.
# custom:
#   severity: low
#   reads: [agents]
#   remediation: >-
#     Follow the advice of openclaw security audit, and take audit.suppressions out of its configuration.
#   references:
#     nist: ["CA-2", "CM-6"]
#     cwe: ["CWE-1188"]
package ringfence.agent.openclaw_audit

finding contains {
	"resource": {"kind": "gateway", "key": sprintf("openclaw/%s in %s", [f.id, a.key]), "path": a.key},
	"message": sprintf("OpenClaw's audit: %s", [_title(f)]),
	"severity": _severity[f.severity],
	"evidence": array.concat([sprintf("%s says %s %s (%s can write that file)", [a.key, f.severity, f.id, a.whose])], [d | d := f.detail; d != ""]),
	"remediation": [{"kind": "words", "text": sprintf("see what openclaw security audit advises about %s", [f.id])}],
} if {
	some a in input.agentAudits
	some f in a.findings
}

_title(f) := f.title if f.title != ""

_title(f) := f.id if f.title == ""

_severity := {"critical": "medium", "warn": "low"}

finding contains {
	"resource": {"kind": "gateway", "key": sprintf("openclaw/suppressions in %s", [a.key]), "path": a.key},
	"message": "OpenClaw's audit is told to leave findings out",
	"severity": "low",
	"evidence": [sprintf("%s: findings that are suppressed: %d", [a.key, a.suppressed])],
	"remediation": [{"kind": "config", "text": "take security.audit.suppressions out of openclaw.json, and audit again"}],
} if {
	some a in input.agentAudits
	a.suppressed > 0
}

unknown contains {"resource": {"kind": "gateway", "key": a.key, "path": a.key}, "reason": reason} if {
	some a in input.agentAudits
	some reason in _open(a)
}

_open(a) := {reason | some reason in array.concat(_unread(a), array.concat(_unlisted(a), array.concat(_untrusted(a), _old(a))))}

_unread(a) := [sprintf("%s could not be imported: %s", [a.key, a.unread]) | a.unread != ""]

_unlisted(a) := [sprintf("%s counts findings that it does not list, or that were left out here: %d", [a.key, a.unlisted]) | a.unlisted > 0]

_untrusted(a) := [sprintf("%s can write %s: that it finds nothing clears nothing", [a.whose, a.key]) |
	a.unread == ""
	not a.trusted
	count(a.findings) == 0
]

_old(a) := [sprintf("%s was made %s: that it finds nothing clears nothing", [a.key, a.old]) |
	a.unread == ""
	a.trusted
	a.old != ""
	count(a.findings) == 0
]

not_applicable := "no report of openclaw security audit was imported (--import openclaw=FILE)" if count(input.agentAudits) == 0
