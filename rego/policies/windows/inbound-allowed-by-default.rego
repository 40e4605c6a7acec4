# METADATA
# title: The firewall lets in what no rule names
# description: >-
#   DefaultInboundAction is 0 for the profile of a network that is connected: what no rule blocks comes in.
# custom:
#   severity: high
#   reads: [windows.firewall, windows.adapters]
#   remediation: >-
#     Block by default: Set-NetFirewallProfile -All -DefaultInboundAction Block.
#   references:
#     nist: ["SC-7", "CM-6"]
#     cwe: ["CWE-1188"]
package ringfence.windows.inbound_allowed_by_default

import data.ringfence.lib.windows

finding contains {
	"resource": {"kind": "firewall", "key": p.profile},
	"message": sprintf("the %s profile, which is that of %s, lets in what no rule blocks", [p.profile, concat(", ", p.active)]),
	"evidence": [sprintf("DefaultInboundAction is 0 for the %s profile", [p.profile])],
	"remediation": windows.firewall_set(p, "DefaultInboundAction", "1", "-DefaultInboundAction Block"),
} if {
	some p in input.windowsProfiles
	p.doubt == ""
	p.on
	not p.blocks
	not p.shielded
	count(p.active) > 0
}

unknown contains {"resource": {"kind": "firewall", "key": p.profile}, "reason": p.doubt} if {
	some p in input.windowsProfiles
	p.doubt != ""
}
