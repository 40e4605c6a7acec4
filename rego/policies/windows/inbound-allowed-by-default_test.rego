package ringfence.windows.inbound_allowed_by_default_test

import data.ringfence.windows.inbound_allowed_by_default as check

_doc(change) := {"windowsProfiles": [object.union({"profile": "public", "on": true, "blocks": false, "shielded": false, "active": ["Ethernet"], "doubt": "", "policy": []}, change)]}

test_allow_fails if count(check.finding) == 1 with input as _doc({})

test_block_passes if count(check.finding) == 0 with input as _doc({"blocks": true})

test_shielded_passes if count(check.finding) == 0 with input as _doc({"shielded": true})

test_doubt_is_unknown if count(check.unknown) == 1 with input as _doc({"doubt": "d"})
