# METADATA
# title: The firewall of virtual machines is off
# description: >-
#   The Hyper-V firewall, which alone filters WSL in mirrored mode, is off or lets in by default.
# custom:
#   severity: medium
#   reads: [windows.hyperv]
#   remediation: >-
#     Set-NetFirewallHyperVVMSetting -Name ID -Enabled True -DefaultInboundAction Block.
#   references:
#     nist: ["SC-7", "CM-6"]
#     cwe: ["CWE-1188"]
package ringfence.windows.hyperv_firewall_off

finding contains {
	"resource": {"kind": "firewall", "key": h.creator},
	"message": sprintf("the firewall of the machines of %s is off", [h.creator]),
	"evidence": ["EnableFirewall is 0"],
	"remediation": [{"kind": "command", "text": sprintf("Set-NetFirewallHyperVVMSetting -Name '%s' -Enabled True", [_quoted(h)])}],
} if {
	some h in input.windowsHyperV
	h.enableFirewall == 0
}

finding contains {
	"resource": {"kind": "firewall", "key": h.creator},
	"message": sprintf("the firewall of the machines of %s lets in what no rule blocks", [h.creator]),
	"evidence": ["DefaultInboundAction is 0"],
	"remediation": [{"kind": "command", "text": sprintf("Set-NetFirewallHyperVVMSetting -Name '%s' -DefaultInboundAction Block", [_quoted(h)])}],
} if {
	some h in input.windowsHyperV
	h.defaultInboundAction == 0
}

unknown contains {"resource": {"kind": "firewall", "key": h.creator}, "reason": sprintf("%s is not set, and what counts was not told (-PolicyStore ActiveStore)", [name])} if {
	some h in input.windowsHyperV
	some name in ["enableFirewall", "defaultInboundAction"]
	not is_number(object.get(h, name, null))
	object.get(h, "enableFirewall", null) != 0
}

# _quoted is the name of a creator between quotes of PowerShell, in which each of its kinds of quotes ends the text.
_quoted(h) := regex.replace(h.creator, "['\u2018-\u201b]", "$0$0")
