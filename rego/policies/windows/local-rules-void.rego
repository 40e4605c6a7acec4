# METADATA
# title: Rules of this host count for nothing
# description: >-
#   A policy says that local rules are not merged (AllowLocalPolicyMerge is 0), and there are some that let something
#   in: whoever reads the rules of the host reads what does not hold.
# custom:
#   severity: low
#   reads: [windows.firewall, windows.adapters]
#   remediation: >-
#     Take the rules out, or let the policy have those that are needed.
#   references:
#     nist: ["SC-7", "CM-6"]
#     cwe: ["CWE-1188"]
package ringfence.windows.local_rules_void

finding contains {
	"resource": {"kind": "firewall", "key": p.profile},
	"message": sprintf("%d rules of the local store that let something in count for nothing on the %s profile", [p.local, p.profile]),
	"evidence": [sprintf("AllowLocalPolicyMerge is 0 for the %s profile", [p.profile])],
	"remediation": [{"kind": "words", "text": "take the rules out, or add those that are needed to the policy"}],
} if {
	some p in input.windowsProfiles
	p.doubt == ""
	not p.merge
	p.local > 0
	count(p.active) > 0
}

unknown contains {"resource": {"kind": "firewall", "key": p.profile}, "reason": p.doubt} if {
	some p in input.windowsProfiles
	p.doubt != ""
}
