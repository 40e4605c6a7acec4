package ringfence.runtime.socket_mounted_in_workload_test

import data.ringfence.runtime.socket_mounted_in_workload as check

_doc(mounts) := {"runtimeSockets": [{"runtime": "docker", "path": "/run/docker.sock", "mountedIn": mounts}]}

test_mounted_fails if {
	doc := _doc([{"workload": "container web", "path": "/var/run/docker.sock"}])
	count(check.finding) == 1 with input as doc
}

test_not_mounted_passes if count(check.finding) == 0 with input as _doc([])
