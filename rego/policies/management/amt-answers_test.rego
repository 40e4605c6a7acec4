package ringfence.management.amt_answers_test

import data.ringfence.management.amt_answers as check

_doc(port) := {"services": [{"key": "tcp 127.0.0.1:16992 (lms)", "proto": "tcp", "port": port, "owner": "lms", "namespace": ""}]}

test_amt_fails if count(check.finding) == 1 with input as _doc(16992)

test_another_port_passes if count(check.finding) == 0 with input as _doc(443)
