package ringfence.runtime.privileged_group_members_test

import data.ringfence.runtime.privileged_group_members as check

_doc(members, agents) := {"runtimeGroups": [{"name": "docker", "runtime": "docker", "members": members, "agents": agents}]}

test_a_member_fails if count(check.finding) == 1 with input as _doc(["alice"], [])

test_an_agent_is_high if {
	some f in check.finding with input as _doc([], ["OpenClaw gateway"])
	f.severity == "high"
}

test_empty_group_passes if count(check.finding) == 0 with input as _doc(["root"], [])
