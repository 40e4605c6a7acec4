package ringfence.zone.workload_beside_the_filter_test

import data.ringfence.zone.workload_beside_the_filter as check

_doc(zone) := {"besideHost": [{"workload": "container web", "link": "eth0", "kind": "macvlan", "parent": "eth1", "zone": zone}]}

test_macvlan_fails if {f.severity | some f in check.finding} == {"medium"} with input as _doc("external")

test_on_management_is_high if {f.severity | some f in check.finding} == {"high"} with input as _doc("management")

test_hardware_fails if count(check.finding) == 1 with input as {"besideHost": [{"workload": "machine", "link": "ens1", "kind": "device", "parent": "", "zone": ""}]}

test_none_passes if count(check.finding) == 0 with input as {"besideHost": []}
