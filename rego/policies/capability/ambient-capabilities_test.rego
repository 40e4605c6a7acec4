package ringfence.capability.ambient_capabilities_test

import data.ringfence.capability.ambient_capabilities as check

_doc(change) := {"programs": [object.union({"key": "k", "program": "/p", "uid": 0, "hostUser": true, "hostMnt": true, "seccomp": 0, "zone": "host", "workload": "", "agent": false, "unit": "", "lacks": "", "monitor": "", "ambient": []}, object.union({"uid": 1000}, change))]}

test_a_login_fails if count(check.finding) == 1 with input as _doc({"ambient": ["net_admin"]})

test_an_agent_is_high if {
	some f in check.finding with input as _doc({"ambient": ["net_admin"], "agent": true, "workload": "Codex", "unit": "x.service"})
	f.severity == "high"
}

test_a_service_passes if count(check.finding) == 0 with input as _doc({"ambient": ["net_admin"], "unit": "systemd-networkd.service"})

test_what_wakes_the_machine_passes if count(check.finding) == 0 with input as _doc({"ambient": ["wake_alarm", "net_bind_service"]})
