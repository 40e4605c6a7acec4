# METADATA
# title: Workloads share a graphics card or accelerator
# description: >-
#   Two containers have the same device file of a graphics card. Memory of the card is not
#   cleared between them in every driver, each sees what the other uses of it, and both talk to
#   one driver in the kernel of the host.
# custom:
#   severity: medium
#   reads: [runtimes]
#   params:
#     devices: {type: strings, default: [], description: "Device files that are meant to be shared: /dev/dri/renderD128."}
#   remediation: >-
#     Give each workload a card or a partition (MIG) of its own, or run them one after the other.
#   references:
#     nist: ["SC-4", "SC-39"]
#     attack: ["T1611"]
#     cwe: ["CWE-653"]
package ringfence.kernel.gpu_shared_between_workloads

import data.ringfence.lib

# Device files of one card; those that control all of them (nvidiactl, kfd) are no card.
_card := `^/dev/(nvidia[0-9]+|dri/renderD[0-9]+|dri/card[0-9]+|accel/accel[0-9]+|nvidia-caps/nvidia-cap[0-9]+)$`

_holders[device] contains lib.container(c) if {
	some c in input.containers
	c.running
	some device in lib.list(c, "devices")
	regex.match(_card, device)
}

finding contains {
	"resource": {"kind": "device", "key": device, "path": device},
	"message": sprintf("%s is shared by the containers %s", [device, lib.join(sort(names))]),
	"evidence": [sprintf("the specifications of %d containers that run list it", [count(names)])],
	"remediation": [{"kind": "config", "text": sprintf("recreate all but one of them without %s, or give each a partition (MIG)", [device])}],
} if {
	some device, names in _holders
	count(names) > 1
	not device in object.get(data.params, "devices", [])
}

unknown contains {
	"resource": {"kind": "workload", "key": sprintf("container %s", [lib.container(c)])},
	"reason": sprintf("its specification was not read: %s", [c.unread]),
} if {
	some c in input.containers
	object.get(c, "unread", "") != ""
	not c.running # else its device files were seen
}

not_applicable := "no container was found" if count(input.containers) == 0
