# METADATA
# title: The BMC is in a network of workloads or the outside
# description: >-
#   The address of the baseboard management controller is inside a network that an external or
#   workload interface of the host is on. It shares the card of the host, or is plugged in beside
#   it: whoever is on that network talks to the controller directly, and no rule on the host is in
#   the way.
# custom:
#   severity: high
#   reads: [ipmi, network]
#   remediation: >-
#     Plug the BMC into a network of its own, or tag its traffic with a VLAN that the others do not
#     get.
#   references:
#     nist: ["SC-7(13)", "SC-37"]
#     attack: ["T1542.002", "T1133"]
#     cwe: ["CWE-653"]
package ringfence.management.bmc_in_network_of_others

_bmc := input.ipmi.bmc

_addressed if not object.get(_bmc, "address", "") in {"", "0.0.0.0"}

finding contains {
	"resource": {"kind": "bmc", "key": i.name},
	"message": sprintf("the BMC is at %s, in the network of %s (%s zone)", [_bmc.address, i.name, i.zone]),
	"evidence": [sprintf("%s has %s: %s", [i.name, a, i.reason])],
	"remediation": [{"kind": "words", "text": "plug the BMC into a network that administrators alone reach, or set a VLAN for it (ipmitool lan set CHANNEL vlan id ID)"}],
} if {
	_addressed
	some i in input.interfaces
	i.zone in {"external", "workload", "unclassified"}
	some a in i.addrs
	contains(a, ".")
	net.cidr_contains(a, _bmc.address)
}

unknown contains {"resource": {"kind": "bmc", "key": "bmc"}, "reason": "it did not say which address it has"} if {
	_bmc.lanChannel != 0
	object.get(_bmc, "address", "") == ""
}

unknown contains {"resource": {"kind": "bmc", "key": "bmc"}, "reason": "there is a BMC, but it could not be asked"} if {
	not input.ipmi.bmc
	not not_applicable
}

not_applicable := "no BMC was found" if {
	not input.ipmi.bmc
	input.ipmi.smbios.state == "absent"
	count(object.get(input.ipmi, "devices", [])) == 0
}
