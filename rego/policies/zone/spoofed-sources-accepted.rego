# METADATA
# title: A workload can send from addresses that are not its own
# description: >-
#   Where rp_filter is off the host takes a packet whatever interface its source address belongs
#   to. A workload sends as another workload, as a management host or as loopback's neighbours, and
#   rules that go by source addresses let it through. Only interfaces that bring workloads in are
#   asked about: on a host with one network the switch changes nothing.
# custom:
#   severity: low
#   reads: [network, kernel.sysctls]
#   remediation: >-
#     Set net.ipv4.conf.<interface>.rp_filter to 1, or 2 where routes are asymmetric; or drop by
#     fib saddr in prerouting.
#   references:
#     cis: ["Debian 12 v1.1.0 3.3.7"]
#     nist: ["SC-7", "SC-5"]
#     attack: ["T1599"]
#     cwe: ["CWE-290"]
package ringfence.zone.spoofed_sources_accepted

# The stricter of the two counts (ip-sysctl.rst, rp_filter); 1 is strict, 2 loose.
_checked(name) if {
	some at in {"all", name}
	_value(at) in {"1", "2"}
}

_value(at) := v if {
	f := input.sysctls[sprintf("net.ipv4.conf.%s.rp_filter", [at])]
	f.state == "present"
	v := f.value
}

_brings_workloads(i) if {
	i.zone == "workload"
	not i.inert
	some a in i.addrs
	contains(a, ".")
}

finding contains {
	"resource": {"kind": "interface", "key": i.name},
	"message": sprintf("workloads behind %s can send from addresses of others", [i.name]),
	"evidence": [sprintf("/proc/sys/net/ipv4/conf/%s/rp_filter = %s, all = %s", [i.name, _value(i.name), _value("all")])],
	"remediation": [{"kind": "sysctl", "settings": [{"name": sprintf("net.ipv4.conf.%s.rp_filter", [i.name]), "value": "1"}]}],
} if {
	some i in input.interfaces
	_brings_workloads(i)
	_value(i.name)
	_value("all")
	not _checked(i.name)
}

unknown contains {"resource": {"kind": "interface", "key": i.name}, "reason": "its rp_filter could not be read"} if {
	some i in input.interfaces
	_brings_workloads(i)
	not _checked(i.name)
	some at in {"all", i.name}
	not _value(at)
}

not_applicable := "no interface brings workloads in" if {
	not _any
}

_any if {
	some i in input.interfaces
	_brings_workloads(i)
}
