package ringfence.agent.runs_as_root_test

import data.ringfence.agent.runs_as_root as check

_doc(uid, host) := {"agentPrograms": [{
	"key": "ollama", "title": "Ollama", "evidence": "e", "uid": uid, "hostUser": host, "unit": "", "container": "",
}]}

test_root_fails if count(check.finding) == 1 with input as _doc(0, true)

test_root_of_a_container_is_medium if {
	doc := json.patch(_doc(0, true), [{"op": "replace", "path": "/agentPrograms/0/container", "value": "web"}])
	{f.severity | some f in check.finding} == {"medium"} with input as doc
}

test_user_passes if count(check.finding) == 0 with input as _doc(1000, true)

test_root_of_a_user_namespace_passes if count(check.finding) == 0 with input as _doc(0, false)
