package ringfence.zone.one_interface_two_zones_test

import data.ringfence.zone.one_interface_two_zones as check

test_shared_fails if {
	doc := {"sharedInterfaces": [{"name": "eth0", "zones": ["external", "management"], "services": ["tcp 0.0.0.0:22 (sshd)"]}]}
	count(check.finding) == 1 with input as doc
}

test_separate_passes if count(check.finding) == 0 with input as {"sharedInterfaces": []}
