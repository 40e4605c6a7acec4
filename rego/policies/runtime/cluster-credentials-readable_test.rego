package ringfence.runtime.cluster_credentials_readable_test

import data.ringfence.runtime.cluster_credentials_readable as check

_doc(kind) := {"readableSecrets": [{"path": "/etc/x", "kind": kind, "who": "everybody can read it"}]}

test_readable_fails if count(check.finding) == 1 with input as _doc("cluster")

test_another_kind_is_another_check if count(check.finding) == 0 with input as _doc("hostkey")

test_none_passes if count(check.finding) == 0 with input as {"readableSecrets": []}
