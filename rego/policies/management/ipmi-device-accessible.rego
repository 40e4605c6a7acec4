# METADATA
# title: The IPMI device can be opened by others than root
# description: >-
#   Who can open /dev/ipmi0 gives the BMC any command without a password: set user passwords,
#   enable the LAN, power the machine off. The device belongs to root alone, and never into a
#   container.
# custom:
#   severity: critical
#   reads: [ipmi]
#   remediation: >-
#     chown root:root /dev/ipmi0; chmod 600 /dev/ipmi0 by a udev rule, and take the device out
#     of every container.
#   references:
#     cis: ["Docker v1.6.0 5.18"]
#     nist: ["AC-6"]
#     attack: ["T1542"]
#     cwe: ["CWE-732"]
package ringfence.management.ipmi_device_accessible

import data.ringfence.lib

finding contains {
	"resource": {"kind": "device", "key": dev.path, "path": dev.path},
	"message": sprintf("%s can be opened by %s, and with it every command given to the BMC", [dev.path, who]),
	"severity": "critical",
	"evidence": [sprintf("%s mode %o uid %d gid %d", [dev.path, dev.mode, dev.uid, dev.gid])],
	"remediation": [{"kind": "command", "text": sprintf("chown root:root %s && chmod 600 %s", [lib.quoted(dev.path), lib.quoted(dev.path)])}],
} if {
	some dev in input.ipmi.devices
	some who in _openers(dev)
}

_openers(dev) := array.concat(array.concat(_everybody, _group), array.concat(_owner, _containers)) if {
	_everybody := ["everybody" | bits.and(dev.mode, 6) != 0]
	_group := [sprintf("group %s", [object.get(dev, "group", "")]) |
		bits.and(dev.mode, 48) != 0
		dev.gid != 0
	]
	_owner := [sprintf("uid %d", [dev.uid]) | dev.uid != 0]
	_containers := [sprintf("container %s", [substring(c, 0, 12)]) | some c in object.get(dev, "containers", [])]
}

not_applicable := "the host has no IPMI device" if count(object.get(input.ipmi, "devices", [])) == 0
