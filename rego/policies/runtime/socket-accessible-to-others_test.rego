package ringfence.runtime.socket_accessible_to_others_test

import data.ringfence.runtime.socket_accessible_to_others as check

_sock(others, group) := {"runtimeSockets": [{
	"runtime": "docker", "path": "/run/docker.sock", "mode": "0660", "othersWrite": others, "groupWrite": true,
	"group": group, "uid": 0, "gated": false, "closed": false, "gives": "root on the host", "mountedIn": [], "privateToUser": false, "container": "", "writers": [],
}]}

test_world_writable_fails if count(check.finding) == 1 with input as _sock(true, "docker")

test_strange_group_fails if count(check.finding) == 1 with input as _sock(false, "users")

test_docker_group_passes if count(check.finding) == 0 with input as _sock(false, "docker")

test_without_socket_does_not_apply if check.not_applicable with input as {"runtimeSockets": []}

test_a_users_socket_gives_the_user if {
	sock := object.union(_sock(true, "mal").runtimeSockets[0], {"gives": "uid 1001", "uid": 1001, "privateToUser": true})
	some f in check.finding with input as {"runtimeSockets": [sock]}
	f.severity == "high"
	contains(f.message, "become uid 1001")
}

test_in_a_private_directory_passes if {
	sock := object.union(_sock(true, "root").runtimeSockets[0], {"closed": true})
	count(check.finding) == 0 with input as {"runtimeSockets": [sock]}
}

test_unknown_place_is_unknown if {
	sock := object.union(_sock(true, "root").runtimeSockets[0], {"gives": ""})
	count(check.finding) == 0 with input as {"runtimeSockets": [sock]}
	count(check.unknown) == 1 with input as {"runtimeSockets": [sock]}
}

test_access_control_list_fails if {
	sock := object.union(_sock(false, "docker").runtimeSockets[0], {"writers": ["user agent"]})
	count(check.finding) == 1 with input as {"runtimeSockets": [sock]}
	allowed := object.union(sock, {"writers": ["group docker"]})
	count(check.finding) == 0 with input as {"runtimeSockets": [allowed]}
}
