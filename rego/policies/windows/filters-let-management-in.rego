# METADATA
# title: The filters let a port of management in
# description: >-
#   What listens was not read, and the filters of the firewall let addresses in for a port of SSH, RPC, SMB, Remote Desktop
#   or WinRM. Where sockets were read, who reaches them is asked instead.
# custom:
#   severity: medium
#   reads: [windows.filters, windows.adapters]
#   remediation: >-
#     Limit the rule that the filter was made of to the addresses of those who manage; rules for LocalSubnet are made into every
#     network of the profile.
#   references:
#     nist: ["AC-17(3)", "SC-7(5)"]
#     cwe: ["CWE-668"]
package ringfence.windows.filters_let_management_in

finding contains {
	"resource": {"kind": "filter", "key": sprintf("%s tcp %d, %s, %s", [o.service, o.port, o.family, _profile(o)])},
	"message": sprintf("if %s listens on tcp %d, %s open connections to it on the %s profile", [o.service, o.port, _who(o), _profile(o)]),
	"severity": _severity(o),
	"evidence": o.filters,
	"remediation": [{"kind": "words", "text": sprintf("limit the rule %s to the addresses of those who manage", [o.filters[0]])}],
} if {
	some o in input.windowsEngine.openings
}

_profile(o) := o.profile if o.profile != ""

else := "any"

_who(o) := "all addresses" if count(o.remote) == 0

else := concat(", ", array.slice(o.remote, 0, 8))

_severity(o) := "high" if o.wide

else := "medium"
