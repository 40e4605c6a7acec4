package ringfence.windows.local_rules_void_test

import data.ringfence.windows.local_rules_void as check

_doc(merge, local, doubt) := {"windowsProfiles": [{"profile": "public", "merge": merge, "local": local, "active": ["Ethernet"], "doubt": doubt}]}

test_void_fails if count(check.finding) == 1 with input as _doc(false, 3, "")

test_merged_passes if count(check.finding) == 0 with input as _doc(true, 3, "")

test_none_passes if count(check.finding) == 0 with input as _doc(false, 0, "")

test_doubt_is_unknown if count(check.unknown) == 1 with input as _doc(false, 3, "d")
