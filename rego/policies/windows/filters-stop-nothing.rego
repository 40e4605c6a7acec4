# METADATA
# title: The filters of the firewall stop nothing by default
# description: >-
#   The engine holds no block by default for a profile that interfaces are in, or of the firewall only the filters of the
#   boot: it is off, whatever rules the registry has.
# custom:
#   severity: critical
#   reads: [windows.filters, windows.adapters]
#   remediation: >-
#     Turn the firewall on for every profile: Set-NetFirewallProfile -All -Enabled True -DefaultInboundAction Block.
#   references:
#     nist: ["SC-7", "CM-6"]
#     cwe: ["CWE-1188"]
package ringfence.windows.filters_stop_nothing

_fix := [{"kind": "command", "text": "Set-NetFirewallProfile -All -Enabled True -DefaultInboundAction Block"}]

finding contains {
	"resource": {"kind": "firewall", "key": sprintf("filters of the %s profile", [p])},
	"message": sprintf("the engine stops nothing by default on the %s profile, which interfaces are in", [p]),
	"evidence": ["there is no block by default for it in FWPM_SUBLAYER_MPSSVC_WF"],
	"remediation": _fix,
} if {
	some p in input.windowsEngine.unblocked
}

finding contains {
	"resource": {"kind": "firewall", "key": sprintf("filters of the %s", [half])},
	"message": sprintf("the engine stops nothing by default on the %s, which interfaces are in", [half]),
	"evidence": ["there is no block by default for it in FWPM_SUBLAYER_MPSSVC_WF"],
	"remediation": _fix,
} if {
	some text in input.windowsEngine.half
	[profile, family] := split(text, " over ")
	half := sprintf("%s profile over %s", [profile, family])
}

unknown contains {"resource": {"kind": "interface", "key": name}, "reason": "its profile was not read, and for one nothing is blocked by default"} if {
	some name in input.windowsEngine.unsure
}

finding contains {
	"resource": {"kind": "firewall", "key": "filters"},
	"message": "the firewall has no filters but those of the boot: it is off",
	"evidence": ["all filters of FWPM_SUBLAYER_MPSSVC_WF are FWPM_FILTER_FLAG_BOOTTIME"],
	"remediation": _fix,
} if {
	input.windowsEngine.boot
}
