# METADATA
# title: The BMC answers on its network
# description: >-
#   The LAN channel of the baseboard management controller is always on and has an address. Who
#   reaches it gets a salted hash of the password of any user whose name they know, by design of
#   RMCP+, and has all the time there is to guess: only a network of its own and long passwords
#   help. With the answer the machine is theirs below the operating system.
# custom:
#   severity: medium
#   reads: [ipmi]
#   remediation: >-
#     Give the BMC a network or VLAN of its own that administrators alone reach, with passwords of
#     16 characters or more; or switch the channel off.
#   references:
#     nist: ["SC-7(13)", "AC-17"]
#     attack: ["T1110.002", "T1542.002"]
#     cwe: ["CWE-916", "CWE-668"]
#     cve: ["CVE-2013-4786"]
package ringfence.management.bmc_on_network

_bmc := input.ipmi.bmc

finding contains {
	"resource": {"kind": "bmc", "key": sprintf("LAN channel %d", [_bmc.lanChannel])},
	"message": sprintf("the BMC answers at %s and gives out hashes of its passwords", [_bmc.address]),
	"evidence": [sprintf("LAN channel %d, access mode %s, address %s", [_bmc.lanChannel, _bmc.accessMode, _bmc.address])],
	"remediation": [{"kind": "words", "text": sprintf("move it to a VLAN of its own (ipmitool lan set %d vlan id ID), or ipmitool lan set %d access off", [_bmc.lanChannel, _bmc.lanChannel])}],
} if {
	_bmc.lanChannel != 0
	object.get(_bmc, "accessMode", "") in {"always", "shared"}
	not object.get(_bmc, "address", "") in {"", "0.0.0.0"}
}

unknown contains {"resource": {"kind": "bmc", "key": "bmc"}, "reason": "it did not say when its LAN channel answers"} if {
	_bmc.lanChannel != 0
	object.get(_bmc, "accessMode", "") == ""
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
