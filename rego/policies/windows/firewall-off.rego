# METADATA
# title: The firewall is off for a profile in use
# description: >-
#   EnableFirewall is 0 for the profile of a network that is connected, or an interface is left out of it: nothing that
#   comes in is blocked there, whatever rules say.
# custom:
#   severity: critical
#   reads: [windows.firewall, windows.adapters]
#   remediation: >-
#     Turn it on for every profile: Set-NetFirewallProfile -All -Enabled True.
#   references:
#     nist: ["SC-7", "CM-6"]
#     cwe: ["CWE-1188"]
package ringfence.windows.firewall_off

import data.ringfence.lib.windows

finding contains {
	"resource": {"kind": "firewall", "key": p.profile},
	"message": sprintf("the firewall is off for the %s profile, which is that of %s", [p.profile, concat(", ", p.active)]),
	"evidence": [sprintf("EnableFirewall is 0 for the %s profile", [p.profile])],
	"remediation": windows.firewall_set(p, "EnableFirewall", "1", "-Enabled True"),
} if {
	some p in input.windowsProfiles
	p.doubt == ""
	not p.on
	count(p.active) > 0
}

finding contains {
	"resource": {"kind": "interface", "key": name},
	"message": sprintf("the firewall leaves the interface %s out", [name]),
	"evidence": [sprintf("DisabledInterfaces of the %s profile names it", [p.profile])],
	"remediation": windows.firewall_set(p, "DisabledInterfaces", "none", "-DisabledInterfaceAliases NotConfigured"),
} if {
	some p in input.windowsProfiles
	p.on
	some name in p.disabled
}

unknown contains {"resource": {"kind": "firewall", "key": p.profile}, "reason": p.doubt} if {
	some p in input.windowsProfiles
	p.doubt != ""
}
