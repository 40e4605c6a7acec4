package ringfence.zone.forgotten_namespace_test

import data.ringfence.zone.forgotten_namespace as check

_doc(list) := {"lostNamespaces": list}

test_forgotten_fails if count(check.finding) == 1 with input as _doc([{"key": "veth9", "inode": 4026532999, "links": ["veth9"]}])

test_none_passes if count(check.finding) == 0 with input as _doc([])
