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
