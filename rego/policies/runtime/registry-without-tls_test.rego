package ringfence.runtime.registry_without_tls_test

import data.ringfence.runtime.registry_without_tls as check

_doc(list, unread) := {"insecureRegistries": {"unread": unread, "list": list}, "dockerDaemons": {"unread": "", "list": []}}

test_fails if count(check.finding) == 1 with input as _doc([{"host": "r:5000", "runtime": "docker", "file": "/etc/docker/daemon.json"}], "")

test_none_passes if count(check.finding) + count(check.unknown) == 0 with input as _doc([], "")

test_unread_is_unknown if count(check.unknown) == 1 with input as _doc([], "refused")
