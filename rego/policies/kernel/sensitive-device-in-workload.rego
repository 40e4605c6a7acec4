# METADATA
# title: A workload has a sensitive device
# description: >-
#   Memory, disk, KVM, FUSE, TUN, VFIO, IPMI, uinput and GPU devices give their holder the
#   hardware, other tenants or the host. All devices is what a privileged container has.
# custom:
#   severity: high
#   reads: [processes.devices, runtimes, processes.power, agents]
#   params:
#     devices: {type: strings, default: [], description: "Devices that workloads may have."}
#   remediation: >-
#     Remove the device from the container; give graphics cards by partition (MIG), not whole.
#   references:
#     cis: ["Docker v1.6.0 5.18"]
#     nist: ["SC-39", "AC-6"]
#     attack: ["T1611"]
#     cwe: ["CWE-653"]
package ringfence.kernel.sensitive_device_in_workload

import data.ringfence.lib

finding contains {
	"resource": {"kind": "device", "key": sprintf("%s in container %s", [d, lib.container(c)]), "path": d},
	"message": sprintf("container %s has the device %s", [lib.container(c), d]),
	"severity": _listed(c, d),
	"evidence": [_evidence(c, d)],
	"remediation": [{"kind": "config", "text": sprintf("recreate container %s without --device %s", [lib.container(c), d])}],
} if {
	some c in input.containers
	not _all(c) # one finding says it for all of them
	_runs(c)
	some d in lib.list(c, "devices")
	not d in object.get(data.params, "devices", [])
}

finding contains {
	"resource": {"kind": "device", "key": sprintf("all devices in container %s", [lib.container(c)])},
	"message": sprintf("container %s may use every device of the host", [lib.container(c)]),
	"severity": "critical",
	"evidence": [sprintf("%s allows all devices in its device cgroup", [lib.specs(c)])],
	"remediation": [{"kind": "config", "text": sprintf("recreate container %s without --privileged", [lib.container(c)])}],
} if {
	some c in input.containers
	c.allDevices
	not c.userNS
	not lib.own(c) # which a user cannot give
}

finding contains {
	"resource": {"kind": "device", "key": sprintf("%s in %s", [o.device, o.key]), "path": o.device},
	"message": sprintf("%s holds the device %s open", [o.workload, o.device]),
	"severity": _severity(o.device),
	"evidence": [sprintf("a process of %s (%s) has %s open", [o.workload, o.process, o.device])],
	"remediation": [{"kind": "config", "text": sprintf("recreate %s without the device", [o.workload])}],
} if {
	some o in input.openDevices
	not o.device in object.get(data.params, "devices", [])
}

_evidence(c, d) := sprintf("its device file %s was seen in the container", [d]) if c.spec == ""

else := sprintf("%s lists %s", [lib.specs(c), d])

# A user's specification gives no device that the user has not, and nothing at all without a process.
_listed(c, d) := "medium" if {
	lib.own(c)
} else := _severity(d)

_all(c) if {
	c.allDevices
	not lib.own(c)
}

_runs(c) if not lib.own(c)

_runs(c) if c.running

_severity(d) := "critical" if {
	some p in ["/dev/mem", "/dev/kmem", "/dev/port", "/dev/sd", "/dev/nvme", "/dev/vd", "/dev/dm-", "/dev/ipmi", "/dev/mei"]
	startswith(d, p)
} else := "medium" if {
	some p in ["/dev/fuse", "/dev/dri", "/dev/nvidia", "/dev/kfd"]
	startswith(d, p)
} else := "high"

not_applicable := "no container was found" if count(input.containers) + count(input.workloads) == 0

unknown contains {
	"resource": {"kind": "workload", "key": sprintf("container %s", [lib.container(c)])},
	"reason": sprintf("its specification was not read: %s", [c.unread]),
} if {
	some c in input.containers
	object.get(c, "unread", "") != ""
	not c.running # else its device files were seen
}
