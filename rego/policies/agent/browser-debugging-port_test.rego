package ringfence.agent.browser_debugging_port_test

import data.ringfence.agent.browser_debugging_port as check

_doc(change) := {"agentListeners": [object.union(
	{
		"agent": "chrome-devtools", "title": "Chrome remote debugging", "kind": "browser", "evidence": "e", "key": "tcp 127.0.0.1:9222 (chrome)", "port": 9222,
		"loopback": true, "inside": false, "inContainer": false, "unclear": "", "guessed": false, "open": {}, "because": [], "evidences": [],
	},
	change,
)]}

test_loopback_fails if count(check.finding) == 1 with input as _doc({})

test_others_pass if count(check.finding) == 0 with input as _doc({"kind": "model"})

test_unclear_is_unknown if count(check.unknown) == 1 with input as _doc({"unclear": "who knows"})
