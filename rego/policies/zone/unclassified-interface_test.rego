package ringfence.zone.unclassified_interface_test

import data.ringfence.zone.unclassified_interface as check

_doc(zone) := {"interfaces": [{"name": "eth7", "zone": zone, "reason": "r", "inert": false, "addrs": ["10.0.0.1/8"]}]}

test_unclassified_fails if count(check.finding) == 1 with input as _doc("unclassified")

test_classified_passes if count(check.finding) == 0 with input as _doc("external")
