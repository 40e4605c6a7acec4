-- Questions about many hosts. views.sql comes first. Each begins with a line "-- name: NAME".

-- name: reachable_from_workload
-- Who is reachable from workloads: a container or an agent gets to these services of the host.
SELECT exposure.service."owner" AS service, exposure.service.proto AS proto, exposure.service.port AS port, count(DISTINCT (host, hostId)) AS hosts,
	min(host) AS for_example, any_value(exposure.witness) AS witness
FROM newest
WHERE "row" = 'exposure' AND exposure.verdict = 'reachable' AND exposure."zone" = 'workload'
GROUP BY ALL ORDER BY hosts DESC, service, port;

-- name: worst_coverage
-- Where we know least: checks that are unknown, collectors that did not see all, and hosts of which nothing is known.
SELECT * FROM (
SELECT host, hostId, count(*) FILTER (WHERE "row" = 'result' AND (result.status = 'unknown' OR result.status = 'fail' AND result.reason <> '')) AS unknown_checks,
	string_agg(coverage.collector, ', ' ORDER BY coverage.collector) FILTER (WHERE "row" = 'coverage' AND coverage.status NOT IN ('ok', 'absent')) AS not_seen_whole,
	NULL AS why
FROM newest GROUP BY host, hostId HAVING unknown_checks > 0 OR not_seen_whole IS NOT NULL
UNION ALL
SELECT host, hostId, NULL, NULL, any_value(state.state || ': ' || state.reason) FROM rows WHERE "row" = 'host' AND state.state IN ('missing', 'refused') GROUP BY host, hostId
)
ORDER BY why IS NULL, unknown_checks DESC, host LIMIT 100;

-- name: waivers_that_end
-- Waivers that end within a month, or have ended: what was accepted counts again then.
SELECT finding.waiver.expires AS expires, finding.waiver."owner" AS who, "check", count(DISTINCT (host, hostId)) AS hosts, count(*) AS findings, any_value(finding.waiver.reason) AS reason
FROM newest
WHERE "row" = 'finding' AND finding.waiver IS NOT NULL AND try_cast(left(finding.waiver.expires, 10) AS DATE) <= current_date + INTERVAL 31 DAY
GROUP BY ALL ORDER BY expires, "check";

-- name: drift_by_check
-- What changed from the snapshot before to the newest, by check: on how many hosts which answer became which.
SELECT a."check", b.result.status AS before, a.result.status AS now, count(*) AS hosts, min(a.host) AS for_example
FROM (SELECT * FROM last WHERE n = 1 AND "row" = 'result') a
JOIN (SELECT * FROM last WHERE n = 2 AND "row" = 'result') b USING (host, hostId, "check")
WHERE a.result.status <> b.result.status
GROUP BY ALL ORDER BY hosts DESC, a."check";

-- name: findings_by_check
-- What is wrong, and on how many hosts. What is waived does not count.
SELECT "check", finding.severity AS severity, count(DISTINCT (host, hostId)) AS hosts, count(*) AS findings, min(host) AS for_example, any_value(finding.message) AS message
FROM newest
WHERE "row" = 'finding' AND (finding.waiver IS NULL OR finding.waiver.reopened IS NOT NULL)
GROUP BY ALL ORDER BY list_position(['critical', 'high', 'medium', 'low', 'info'], any_value(finding.severity)), hosts DESC;

-- name: not_verified
-- Hosts of which there is a snapshot that nobody verified, later than the last one that somebody did: somebody else may have written it. A host that
-- audited itself has nothing to verify.
SELECT host, hostId, max(collectedAt) FILTER (WHERE verified = false) AS collected, max(collectedAt) FILTER (WHERE verified) AS last_verified
FROM rows WHERE "row" = 'coverage' GROUP BY ALL HAVING collected IS NOT NULL AND (last_verified IS NULL OR collected > last_verified) ORDER BY host;
