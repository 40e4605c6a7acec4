# METADATA
# title: A workload has CAP_NET_ADMIN as root of the host
# description: >-
#   A container configures its own network with the initial user namespace behind it. It changes
#   no rule of the host, but it reaches all of the kernel's network configuration, nf_tables
#   among it, in which flaws have led to the host again and again, and it takes any address on
#   its network.
# custom:
#   severity: medium
#   reads: [processes.power, runtimes, agents]
#   remediation: >-
#     Drop the capability, or run the container in a user namespace of its own (userns-remap,
#     rootless), where the same bit is over its own network alone.
#   references:
#     cis: ["Docker v1.6.0 5.4"]
#     nist: ["AC-6", "SC-39"]
#     attack: ["T1068", "T1557"]
#     cwe: ["CWE-250"]
#     cve: ["CVE-2024-1086"]
package ringfence.capability.net_admin_over_own_network

finding contains {
	"resource": {"kind": "workload", "key": w.key},
	"message": sprintf("%s configures its network with the powers of the host's root: the packet filter's code in the kernel is open to it", [w.name]),
	"evidence": [sprintf("%s (%s): CAP_NET_ADMIN in the initial user namespace, over a network namespace of its own", [w.name, w.process])],
	"remediation": [{"kind": "config", "text": sprintf("recreate %s without --cap-add NET_ADMIN, or in a user namespace of its own", [w.name])}],
} if {
	some w in input.workloads
	w.container != ""
	w.hostUser
	not w.hostNet
	not w.fullCaps
	"net_admin" in w.caps
	not "sys_admin" in w.caps
}

not_applicable := "no workload runs" if count(input.workloads) == 0
