package ringfence.agent.version_below_floor_test

import data.ringfence.agent.version_below_floor as check

_doc(change) := {"agentPrograms": [object.union(
	{
		"key": "codex", "title": "Codex CLI", "version": "0.38.0", "floor": "0.39.0", "floorWhy": "CVE-2025-59532", "floorState": "below", "versionWhy": "", "evidence": "e",
	},
	change,
)]}

test_below_fails if count(check.finding) == 1 with input as _doc({})

test_fixed_passes if count(check.finding) + count(check.unknown) == 0 with input as _doc({"floorState": "fixed"})

test_unknown_is_unknown if count(check.unknown) == 1 with input as _doc({"floorState": "unknown", "version": ""})
