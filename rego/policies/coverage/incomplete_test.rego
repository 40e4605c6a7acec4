package ringfence.coverage.incomplete_test

import data.ringfence.coverage.incomplete as check

_doc(status, confined) := {
	"host": {"self": {"capEff": "0000000000000000", "confined": confined}},
	"coverage": [{"collector": "ssh", "status": status, "reasons": ["r"]}],
}

test_denied_fails if count(check.finding) == 1 with input as _doc("denied", [])

test_ok_passes if {
	count(check.finding) == 0 with input as _doc("ok", [])
	count(check.unknown) == 0 with input as _doc("ok", [])
}

test_confined_fails if count(check.finding) == 1 with input as _doc("ok", ["/.dockerenv exists"])

test_a_fixture_without_self_is_unknown if {
	count(check.unknown) == 1 with input as {"host": {"self": {}}, "coverage": []}
}

test_parts_are_one_finding if {
	found := check.finding with input as {
		"host": {"self": {"capEff": "0000000000000000", "confined": []}},
		"coverage": [{"collector": "ssh", "status": "partial", "reasons": ["r"]}, {"collector": "kernel", "status": "partial", "reasons": ["a", "b"]}],
	}
	count(found) == 1
	some f in found
	f.evidence == ["kernel: a", "kernel: b", "ssh: r"]
}

test_a_windows_host_is_not_told_to_run_as_root if {
	some f in check.finding with input as {
		"host": {"self": {"confined": []}},
		"coverage": [{"collector": "windows", "status": "partial", "reasons": ["filters: it was not told (netsh wfp show state)"]}],
	}
	f.remediation[0].text == "bring what the gaps name from the Windows host (docs/windows.md), or accept the gap"
}
