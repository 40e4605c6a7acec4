package ringfence.runtime.socket_mounted_in_workload_test

import data.ringfence.runtime.socket_mounted_in_workload as check

_doc(mounts) := {"runtimeSockets": [{"runtime": "docker", "path": "/run/docker.sock", "gives": "root on the host", "mountedIn": mounts}]}

test_mounted_fails if {
	doc := _doc([{"workload": "container web", "path": "/var/run/docker.sock"}])
	count(check.finding) == 1 with input as doc
}

test_not_mounted_passes if count(check.finding) == 0 with input as _doc([])

test_a_users_socket_gives_the_user if {
	sock := object.union(_doc([{"workload": "process x", "path": "/run/user/1001/docker.sock", "named": false}]).runtimeSockets[0], {"gives": "uid 1001"})
	some f in check.finding with input as {"runtimeSockets": [sock]}
	f.severity == "high"
	contains(f.message, "with it uid 1001")
}
