# METADATA
# title: Workloads reach the BMC through the host
# description: >-
#   The host passes on what its containers and machines send to the address of the baseboard
#   management controller (UDP 623, TCP 443), or lets agents in its own network namespace send it. Where
#   it hides them behind its own address, an allow list of the BMC that has the host lets them in too.
#   RMCP+ gives a hash of passwords to anybody who asks. Whether the BMC answers is not seen.
# custom:
#   severity: high
#   reads: [ipmi, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Drop what workloads send to the address of the BMC, before what accepts it.
#   references:
#     nist: ["SC-7(5)", "AC-4"]
#     attack: ["T1110.002", "T1542.002"]
#     cwe: ["CWE-668"]
#     cve: ["CVE-2013-4786"]
package ringfence.management.bmc_reachable_from_workload

import data.ringfence.lib

finding contains {
	"resource": {"kind": "forward", "key": sprintf("%s to the BMC", [from])},
	"message": sprintf("workloads %s %s reach the BMC at %s (%s)", [_place(from), from, open[0].address, concat(", ", [w.service | some w in open])]),
	"zone": "workload",
	"evidence": [sprintf("%s: %s", [w.service, w.reach.witness]) | some w in open],
	"witness": open[0].reach.witness,
	"remediation": [{"kind": "words", "text": _advice(from, open[0].address)}],
} if {
	some from in {w.from | some w in input.bmcWays}
	open := [w | some w in input.bmcWays; w.from == from; w.reach.verdict == "reachable"]
	count(open) > 0
}

_host := "the host's own network namespace"

_place(from) := "in" if {
	from == _host
} else := "behind"

_advice(from, at) := sprintf("give them a network namespace of their own, or in the output hook, before what accepts: meta skuid UID ip daddr %s drop, for the uid of each", [at]) if {
	from == _host
} else := sprintf("in the forward hook, before what accepts: iifname %q ip daddr %s drop", [from, at])

unknown contains {
	"resource": {"kind": "forward", "key": sprintf("%s to the BMC", [w.from])},
	"reason": lib.unclear("workload", w.reach),
} if {
	some w in input.bmcWays
	w.reach.verdict == "unknown"
}

unknown contains {"resource": {"kind": "bmc", "key": "bmc"}, "reason": "it did not say which address it has"} if {
	input.ipmi.bmc.lanChannel != 0
	_address == ""
}

unknown contains {"resource": {"kind": "bmc", "key": "bmc"}, "reason": "there is a BMC, but it could not be asked"} if {
	not input.ipmi.bmc
	not not_applicable
}

unknown contains {"resource": {"kind": "bmc", "key": "bmc"}, "reason": "its address is not understood"} if {
	_address != ""
	not _addressed
	not _unaddressed
}

_address := object.get(input.ipmi.bmc, "address", "")

_addressed if net.cidr_is_valid(sprintf("%s/32", [_address]))

_unaddressed if _address == "0.0.0.0"

not_applicable := "no BMC was found" if {
	not input.ipmi.bmc
	input.ipmi.smbios.state == "absent"
	count(object.get(input.ipmi, "devices", [])) == 0
} else := "the LAN channel of the BMC is off" if {
	input.ipmi.bmc.accessMode == "disabled"
} else := "the BMC has no address" if {
	_unaddressed
} else := "no workloads are attached" if {
	_addressed
	count(input.bmcWays) == 0
}
