# METADATA
# title: Nothing keeps the clock of the host
# description: >-
#   The kernel says that nobody has set its clock right, and no program that would (chrony, ntpd,
#   systemd-timesyncd and their kind) runs. What the logs of this host say cannot be laid beside
#   those of others, certificates and tokens are valid for too long or not at all.
# custom:
#   severity: low
#   reads: [system.clock]
#   remediation: >-
#     Install and enable chrony or systemd-timesyncd.
#   references:
#     cis: ["Debian 12 v1.1.0 2.3.1.1"]
#     nist: ["AU-8"]
#     cwe: ["CWE-778"]
package ringfence.host.clock_not_kept

import data.ringfence.lib

finding contains {
	"resource": {"kind": "host", "key": "clock"},
	"message": "nothing keeps the clock of the host",
	"evidence": ["the kernel says that its clock was not set (adjtimex, STA_UNSYNC)", "no program that keeps the time runs"],
	"remediation": [{"kind": "words", "text": "install chrony, or systemctl enable --now systemd-timesyncd"}],
} if {
	input.clock.state == "present"
	not input.clock.right
	count(input.clock.services) == 0
	not _inside
}

# In a container the clock is that of the host outside, and so is what keeps it.
_inside if count(lib.list(input.host.self, "confined")) > 0

unknown contains {"resource": {"kind": "host", "key": "clock"}, "reason": "nobody has set it right, by the kernel, and this is a container: what keeps it is outside"} if {
	input.clock.state == "present"
	not input.clock.right
	count(input.clock.services) == 0
	_inside
}

# Some keep the time and do not tell the kernel (chrony without rtcsync).
unknown contains {
	"resource": {"kind": "host", "key": "clock"},
	"reason": sprintf("%s runs, and has not told the kernel that the clock is right", [concat(", ", input.clock.services)]),
} if {
	input.clock.state == "present"
	not input.clock.right
	count(input.clock.services) > 0
}

unknown contains {"resource": {"kind": "host", "key": "clock"}, "reason": "whether it is right was not seen"} if {
	input.clock.state != "present"
}
