package ringfence.agent.openclaw_audit_test

import data.ringfence.agent.openclaw_audit as check

_audit(changes) := {"agentAudits": [object.union({"key": "/root/audit.json", "whose": "root", "trusted": true, "unread": "", "old": "", "findings": [], "suppressed": 0, "unlisted": 0}, changes)]}

_critical := {"id": "gateway.bind_no_auth", "severity": "critical", "title": "Gateway binds beyond loopback without auth", "detail": ""}

test_critical if {
	found := check.finding with input as _audit({"findings": [_critical]})
	[f.severity | some f in found] == ["medium"]
}

test_unknown_id_passes_through if {
	found := check.finding with input as _audit({"findings": [object.union(_critical, {"id": "new.check", "severity": "warn", "title": ""})]})
	[f.message | some f in found] == ["OpenClaw's audit: new.check"]
}

test_suppressed if count(check.finding) == 1 with input as _audit({"suppressed": 2})

test_root_clears if {
	count(check.finding) == 0 with input as _audit({})
	count(check.unknown) == 0 with input as _audit({})
}

test_nobody_else_clears if count(check.unknown) == 1 with input as _audit({"trusted": false, "whose": "uid 1000"})

test_old_clears_nothing if count(check.unknown) == 1 with input as _audit({"old": "on 2026-01-01"})

test_unread if count(check.unknown) == 1 with input as _audit({"unread": "it is no report"})

test_unlisted if count(check.unknown) == 1 with input as _audit({"unlisted": 3})

test_none if check.not_applicable with input as {"agentAudits": []}
