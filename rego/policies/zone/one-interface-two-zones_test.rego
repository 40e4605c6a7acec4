package ringfence.zone.one_interface_two_zones_test

import data.ringfence.zone.one_interface_two_zones as check

_shared(zone) := {"sharedInterfaces": [{"name": "eth0", "zones": [zone, "management"], "services": ["tcp 0.0.0.0:22 (sshd)"]}]}

test_workloads_beside_administrators_fail if count(check.finding) == 1 with input as _shared("workload")

test_separate_passes if {
	count(check.finding) == 0 with input as {"sharedInterfaces": []}
	not check.not_applicable with input as {"sharedInterfaces": []}
}

# A fix that limits SSH to named addresses does what is advised, and makes no new finding.
test_everybody_from_outside_is_told_elsewhere if {
	count(check.finding) == 0 with input as _shared("external")
	is_string(check.not_applicable) with input as _shared("external")
}
