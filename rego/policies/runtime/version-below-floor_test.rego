package ringfence.runtime.version_below_floor_test

import data.ringfence.runtime.version_below_floor as check

_doc(state) := {"floors": [{
	"area": "runtime", "id": "CVE-2026-0001", "component": "thing", "what": "who reaches it is root", "package": "thing", "version": "1.0",
	"fixed": "1.1", "state": state, "source": "https://example.org",
}]}

test_below_fails if count(check.finding) == 1 with input as _doc("below")

test_above_passes if {
	count(check.finding) == 0 with input as _doc("above")
	count(check.unknown) == 0 with input as _doc("above")
}

test_maybe_mended_is_unknown if count(check.unknown) == 1 with input as _doc("unknown")

test_of_another_area_does_not_apply if check.not_applicable with input as {"floors": []}
