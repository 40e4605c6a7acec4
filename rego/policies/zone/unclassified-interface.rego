# METADATA
# title: An interface belongs to no zone
# description: >-
#   Nothing explains what the interface is for: no configuration, no default route, no name or
#   kind that is known. It is counted as external. Who arrives there is a question for the
#   people who built the host.
# custom:
#   severity: medium
#   reads: [network]
#   remediation: >-
#     Name the interface in the zones section of the configuration.
#   references:
#     nist: ["SC-7", "CM-8"]
#     cwe: ["CWE-1059"]
package ringfence.zone.unclassified_interface

finding contains {
	"resource": {"kind": "interface", "key": i.name},
	"message": sprintf("nothing says who is behind %s", [i.name]),
	"evidence": [sprintf("%s has %s; %s", [i.name, concat(", ", i.addrs), i.reason])],
	"remediation": [{"kind": "config", "text": sprintf("zones: {external: {interfaces: [%q]}}", [i.name])}],
} if {
	some i in input.interfaces
	i.zone == "unclassified"
	not i.inert
}
