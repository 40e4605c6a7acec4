package ringfence.zone.one_interface_two_zones_test

import data.ringfence.zone.one_interface_two_zones as check

test_shared_fails if {
	doc := {"sharedInterfaces": [{"name": "eth0", "zones": ["external", "management"], "services": ["tcp 0.0.0.0:22 (sshd)"]}], "services": []}
	count(check.finding) == 1 with input as doc
}

test_separate_passes if count(check.finding) == 0 with input as {"sharedInterfaces": []}

_open(zone, verdict) := {
	"sharedInterfaces": [{"name": "eth0", "zones": [zone, "management"], "services": ["tcp 0.0.0.0:22 (sshd)"]}],
	"services": [{"key": "tcp 0.0.0.0:22 (sshd)", "reach": {"external": {"verdict": verdict}}}],
}

test_what_is_open_to_both_is_told_elsewhere if {
	count(check.finding) == 0 with input as _open("external", "reachable")
	is_string(check.not_applicable) with input as _open("external", "reachable")
}

test_what_an_address_separates_fails if {
	count(check.finding) == 1 with input as _open("external", "unknown")
	count(check.finding) == 1 with input as _open("workload", "reachable")
	count(check.finding) == 1 with input as _open("workload", "unreachable")
}

# A fix that limits SSH to named addresses does what is advised, and makes no new finding.
test_limited_to_addresses_passes if {
	count(check.finding) == 0 with input as _open("external", "unreachable")
	not check.not_applicable with input as _open("external", "unreachable")
}
