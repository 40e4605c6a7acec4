package ringfence.zone.one_interface_two_zones_test

import data.ringfence.zone.one_interface_two_zones as check

_shared(zone, verdict) := {
	"sharedInterfaces": [{"name": "eth0", "zones": [zone, "management"], "services": ["tcp 0.0.0.0:22 (sshd)"]}],
	"services": [{"key": "tcp 0.0.0.0:22 (sshd)", "reach": {"external": {"verdict": verdict}}}],
}

test_workloads_beside_administrators_fail if {
	every verdict in ["reachable", "unreachable", "unknown"] {
		count(check.finding) == 1 with input as _shared("workload", verdict)
	}
}

test_separate_passes if count(check.finding) == 0 with input as {"sharedInterfaces": []}

test_what_is_open_to_both_is_told_elsewhere if {
	count(check.finding) == 0 with input as _shared("external", "reachable")
	is_string(check.not_applicable) with input as _shared("external", "reachable")
}

# A fix that limits SSH to named addresses does what is advised, and makes no new finding.
test_limited_to_addresses_passes if {
	count(check.finding) == 0 with input as _shared("external", "unreachable")
	count(check.unknown) == 0 with input as _shared("external", "unreachable")
	not check.not_applicable with input as _shared("external", "unreachable")
}

test_what_is_not_known_is_unknown if {
	count(check.finding) == 0 with input as _shared("external", "unknown")
	count(check.unknown) == 1 with input as _shared("external", "unknown")
}
