package ringfence.runtime.socket_accessible_to_others_test

import data.ringfence.runtime.socket_accessible_to_others as check

_sock(others, group) := {"runtimeSockets": [{
	"runtime": "docker", "path": "/run/docker.sock", "mode": "0660", "othersWrite": others, "groupWrite": true,
	"group": group, "uid": 0, "gated": false, "mountedIn": [], "privateToUser": false,
}]}

test_world_writable_fails if count(check.finding) == 1 with input as _sock(true, "docker")

test_strange_group_fails if count(check.finding) == 1 with input as _sock(false, "users")

test_docker_group_passes if count(check.finding) == 0 with input as _sock(false, "docker")

test_without_socket_does_not_apply if check.not_applicable with input as {"runtimeSockets": []}
