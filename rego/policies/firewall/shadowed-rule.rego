# METADATA
# title: A rule of the packet filter never applies
# description: >-
#   Whatever the rule matches, an earlier rule of its chain has decided. Somebody wrote it for a
#   reason: where it would have decided otherwise, the filter does not do what it says.
# custom:
#   severity: low
#   reads: [nftables]
#   remediation: >-
#     Move the rule before the one that covers it, or delete it.
#   references:
#     nist: ["CM-6", "AC-4"]
#     cwe: ["CWE-561"]
package ringfence.firewall.shadowed_rule

finding contains {
	"resource": {"kind": "rule", "key": s.key},
	"message": sprintf("the rule %s never applies", [s.rule]),
	"severity": _severity(s),
	"evidence": [sprintf("what it matches was decided by %s", [s.by])],
} if {
	some s in input.shadowedRules
}

_severity(s) := "medium" if s.contrary

_severity(s) := "low" if not s.contrary

unknown contains {
	"resource": {"kind": "chain", "key": u.chain},
	"reason": u.reason,
} if {
	some u in input.uncomparedRules
}
