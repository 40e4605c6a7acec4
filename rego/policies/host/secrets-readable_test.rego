package ringfence.host.secrets_readable_test

import data.ringfence.host.secrets_readable as check

_doc(kind) := {"readableSecrets": [{"path": "/etc/x", "kind": kind, "who": "everybody can read it"}]}

test_readable_fails if count(check.finding) == 1 with input as _doc("key")

test_another_kind_is_another_check if count(check.finding) == 0 with input as _doc("cluster")

test_none_passes if count(check.finding) == 0 with input as {"readableSecrets": []}
