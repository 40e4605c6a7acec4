-- sqlite3 /var/lib/ringfence-osquery/checks.db <load.sql, in the directory of rows.jsonl (audit -f jsonl): the table that osquery reads.
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS checks (check_id TEXT PRIMARY KEY, status TEXT, severity TEXT, findings INTEGER, collected_at TEXT);
DELETE FROM checks;
INSERT INTO checks
SELECT line ->> '$.check', line ->> '$.result.status', line ->> '$.result.severity', line ->> '$.result.findings', line ->> '$.collectedAt'
FROM (SELECT value AS line FROM json_each('[' || rtrim(replace(CAST(readfile('rows.jsonl') AS TEXT), char(10), ','), ',') || ']'))
WHERE line ->> '$.row' = 'result';
COMMIT;
