# METADATA
# title: A program besides Windows decides what comes in
# description: >-
#   Filters of an antivirus, a VPN or another product are where connections that come in are decided. What its driver says
#   of one is not known.
# custom:
#   severity: info
#   reads: [windows.filters]
#   remediation: >-
#     Know the product, and what it is to block or let in.
#   references:
#     nist: ["CM-8"]
#     cwe: ["CWE-1329"]
package ringfence.windows.third_party_filters

finding contains {
	"resource": {"kind": "filter", "key": p.key},
	"message": sprintf("%s has %d filters for connections that come in, of which %d ask its driver", [_name(p), p.filters, p.callouts]),
	"evidence": [p.key],
	"remediation": [{"kind": "words", "text": "know the product, and what it is to block or let in"}],
} if {
	some p in input.windowsProviders
}

_name(p) := p.name if p.name != ""

else := p.key
