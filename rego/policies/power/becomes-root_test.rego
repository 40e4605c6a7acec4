package ringfence.power.becomes_root_test

import data.ringfence.power.becomes_root as check

_doc(change) := {"services": [], "runtimeSockets": [], "containers": [], "paths": [object.union(
	{
		"key": "agent a of uid 1000", "name": "A", "kind": "agent", "uid": 1000, "goal": "root", "text": "t", "verdict": "yes",
		"steps": ["it does"], "because": [], "trigger": "none", "cut": ["a file"], "unsearched": false, "withRoot": false, "meant": "",
	},
	change,
)]}

_severity(change) := list if {
	list := {f.severity | some f in check.finding} with input as _doc(change)
}

test_a_way_fails if _severity({}) == {"high"}

test_a_way_that_needs_a_person_is_less if _severity({"trigger": "operator"}) == {"low"}

test_an_account_is_less if _severity({"kind": "account"}) == {"medium"}

test_an_account_with_a_password_is_no_finding if _severity({"kind": "account", "trigger": "operator"}) == set()

test_who_is_meant_to_is_no_finding if _severity({"meant": "it decides"}) == set()

test_who_is_root_is_told_of_once if _severity({"withRoot": true}) == set()

test_another_goal_is_no_finding if _severity({"goal": "other"}) == set()

test_no_passes if {
	doc := _doc({"verdict": "no", "steps": [], "cut": []})
	count(check.finding) == 0 with input as doc
	count(check.unknown) == 0 with input as doc
}

test_unknown_is_unknown if {
	doc := _doc({"verdict": "unknown", "because": ["it was not read"]})
	count(check.finding) == 0 with input as doc
	count(check.unknown) == 1 with input as doc
	count(check.unknown) == 0 with input as _doc({"verdict": "unknown", "because": ["elsewhere"], "unsearched": true})
}

# What ends with the findings of others names them, and what has to be changed besides.
_linked := object.union(
	_doc({
		"key": "container web", "name": "container web", "kind": "workload",
		"cut": ["who reaches tcp 0.0.0.0:2375 (dockerd)", "access to /run/docker.sock", "the mount of /", "the mount of /etc", "the pid namespace of the host", "a file"],
	}),
	{
		"services": [{"class": "runtime-api", "key": "tcp 0.0.0.0:2375 (dockerd)"}, {"class": "other", "key": "tcp 0.0.0.0:80 (nginx)"}],
		"runtimeSockets": [{"path": "/run/docker.sock", "mountedIn": [{"workload": "container web"}, {"workload": "container other"}]}],
		"containers": [{"name": "web", "id": "1", "word": {"by": "root"}, "mounts": [{"source": "/", "dest": "/host", "rw": true}, {"source": "/etc", "dest": "/e", "rw": true}]}],
	},
)

test_it_follows_from_others if {
	some f in check.finding with input as _linked
	{sprintf("%s %s", [s.check, s.key]) | some s in f.follows} == {
		"runtime/docker-api-on-tcp tcp 0.0.0.0:2375 (dockerd)",
		"runtime/socket-mounted-in-workload /run/docker.sock in container web",
		"kernel/host-path-writable-in-workload / in container web",
		"capability/workload-shares-host-namespace container web",
	}
	f.beside == "change the mount of /etc, and a file"
}
