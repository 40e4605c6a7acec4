package ringfence.runtime.socket_mounted_in_workload_test

import data.ringfence.runtime.socket_mounted_in_workload as check

_doc(mounts) := {"runtimeSockets": [{"runtime": "docker", "path": "/run/docker.sock", "gives": "root on the host", "mountedIn": mounts}], "containers": []}

test_mounted_fails if {
	doc := _doc([{"workload": "container web", "path": "/var/run/docker.sock"}])
	count(check.finding) == 1 with input as doc
}

test_not_mounted_passes if count(check.finding) == 0 with input as _doc([])

test_a_users_socket_gives_the_user if {
	sock := object.union(_doc([{"workload": "process x", "path": "/run/user/1001/docker.sock", "named": false}]).runtimeSockets[0], {"gives": "uid 1001"})
	some f in check.finding with input as {"runtimeSockets": [sock], "containers": []}
	f.severity == "high"
	contains(f.message, "with it uid 1001")
}

# A socket in a directory that is mounted comes with that mount: the innermost of them.
test_the_mount_that_brings_it_in_is_named if {
	doc := object.union(_doc([{"workload": "container web", "path": "/host/run/docker.sock", "named": false}]), {"containers": [{
		"name": "web", "id": "1", "word": {"by": "root"},
		"mounts": [{"source": "/", "dest": "/host"}, {"source": "/run", "dest": "/host/run"}, {"source": "/", "dest": "/hosts"}],
	}]})
	some f in check.finding with input as doc
	f.remediation[0].text == "recreate container web without the mount of /run"
}

# Two mounts at one place, and two containers of one name, are an answer and no conflict: the mount on top counts.
test_mounts_at_one_place_are_no_conflict if {
	web := {"name": "web", "id": "1", "word": {"by": "root"}, "mounts": [{"source": "/", "dest": "/host"}, {"source": "/run", "dest": "/host/run"}, {"source": "/run", "dest": "/host/"}]}
	other := object.union(web, {"id": "2", "mounts": [{"source": "/run", "dest": "/host/run/"}, {"source": "/", "dest": "/host/run"}, {"source": "/run/x", "dest": "/host/run"}, {"source": "/", "dest": "/host"}]})
	every containers in [[web], [other, web], [object.union(web, {"mounts": [{"source": "/", "dest": "/host"}, {"source": "/run", "dest": "/host"}]}), other]] {
		doc := object.union(_doc([{"workload": "container web", "path": "/host/run/docker.sock", "named": false}]), {"containers": containers})
		some f in check.finding with input as doc
		startswith(f.remediation[0].text, "recreate container web without the mount of /run")
	}
}
