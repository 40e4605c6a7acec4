package ringfence.agent.mcp_server_in_clear_test

import data.ringfence.agent.mcp_server_in_clear as check

_doc(m) := {"mcp": {"unread": "", "files": [], "list": [object.union({"name": "db", "whose": "user bob", "runtime": "cursor", "file": "/home/bob/.cursor/mcp.json", "host": "10.0.0.9", "clear": true, "secret": false}, m)]}}

test_in_clear_fails if {f.severity | some f in check.finding} == {"medium"} with input as _doc({})

test_with_a_secret_is_high if {f.severity | some f in check.finding} == {"high"} with input as _doc({"secret": true})

test_encrypted_passes if {
	count(check.finding) == 0 with input as _doc({"clear": false})
	count(check.unknown) == 0 with input as _doc({"clear": false})
}

test_unread_is_unknown if count(check.unknown) == 1 with input as {"mcp": {"unread": "x", "files": [], "list": []}}

test_file_that_was_not_read_is_unknown if count(check.unknown) == 1 with input as {"mcp": {"unread": "", "files": [{"file": "/home/bob/.cursor/mcp.json", "reason": "malformed"}], "list": []}}
