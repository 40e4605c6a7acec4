package ringfence.host.processor_unmitigated_test

import data.ringfence.host.processor_unmitigated as check

_doc(text) := {"workloads": [{"key": "container web"}], "processor": {"spectre_v2": {"state": "present", "value": text}}}

test_open_fails if count(check.finding) == 1 with input as _doc("Vulnerable")

test_mitigated_passes if {
	count(check.finding) == 0 with input as _doc("Mitigation: Retpolines")
	count(check.finding) == 0 with input as _doc("Vulnerable: No microcode")
}

test_without_workloads_it_does_not_apply if check.not_applicable with input as {"workloads": [], "processor": {}}

test_unread_is_unknown if count(check.unknown) == 1 with input as {"workloads": [{"key": "x"}], "processor": null}
