# METADATA
# title: A workload can become the default router of the host
# description: >-
#   The host takes router advertisements on an interface behind which workloads are. A container
#   sends one, and traffic of the host to the IPv6 internet goes through the container, which reads
#   and changes it. Engines that were mended switch accept_ra off on their bridges.
# custom:
#   severity: medium
#   reads: [network, kernel.sysctls]
#   remediation: >-
#     Set net.ipv6.conf.<interface>.accept_ra to 0 on interfaces of workloads.
#   references:
#     nist: ["SC-7", "SC-8"]
#     attack: ["T1557"]
#     cwe: ["CWE-350"]
#     cve: ["CVE-2020-13401", "CVE-2020-10749"]
package ringfence.zone.router_by_workload

# Advertisements are taken with 1 where the interface does not forward, with 2 always (ip-sysctl.rst, accept_ra).
_takes("2", _)

_takes("1", forwarding) if forwarding == "0"

_setting(name, key) := v if {
	f := input.sysctls[sprintf("net.ipv6.conf.%s.%s", [name, key])]
	f.state == "present"
	v := f.value
}

_workloads := [i | some i in input.interfaces; i.zone == "workload"; not i.inert]

finding contains {
	"resource": {"kind": "interface", "key": i.name},
	"message": sprintf("a workload behind %s can become the IPv6 router of the host", [i.name]),
	"evidence": [sprintf("/proc/sys/net/ipv6/conf/%s: accept_ra = %s, forwarding = %s, disable_ipv6 = 0", [i.name, _setting(i.name, "accept_ra"), _setting(i.name, "forwarding")])],
	"remediation": [{"kind": "sysctl", "settings": [{"name": sprintf("net.ipv6.conf.%s.accept_ra", [i.name]), "value": "0"}]}],
} if {
	some i in _workloads
	_setting(i.name, "disable_ipv6") == "0"
	_takes(_setting(i.name, "accept_ra"), _setting(i.name, "forwarding"))
}

# An interface without the directory has no IPv6.
unknown contains {"resource": {"kind": "interface", "key": i.name}, "reason": sprintf("its %s could not be read", [key])} if {
	some i in _workloads
	some key in {"accept_ra", "forwarding", "disable_ipv6"}
	not object.get(input.sysctls, [sprintf("net.ipv6.conf.%s.%s", [i.name, key]), "state"], "error") in {"present", "absent"}
}

not_applicable := "no interface brings workloads in" if count(_workloads) == 0
