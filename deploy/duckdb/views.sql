-- Rows of ringfence (audit -f jsonl, format ringfence.row/v1) in files: set the variable first, to a pattern of a directory or an object store.
--   SET VARIABLE rows = 'rows/*.jsonl*';          SET VARIABLE rows = 's3://bucket/ringfence/*.jsonl.gz';
-- Only what the queries ask for is read; docs/row.schema.json has all fields.
CREATE OR REPLACE VIEW rows AS
SELECT *
FROM read_json(
	getvariable('rows'),
	format = 'newline_delimited',
	maximum_object_size = 67108864,
	columns = {
		"row": 'VARCHAR', "host": 'VARCHAR', "hostId": 'VARCHAR', "collectedAt": 'TIMESTAMP', "snapshot": 'VARCHAR', "verified": 'BOOLEAN', "signer": 'VARCHAR', "check": 'VARCHAR',
		"result": 'STRUCT(status VARCHAR, severity VARCHAR, reason VARCHAR, findings INTEGER, unknowns JSON)',
		"finding": 'STRUCT(severity VARCHAR, message VARCHAR, fingerprint VARCHAR, resource STRUCT(kind VARCHAR, "key" VARCHAR), waiver STRUCT("owner" VARCHAR, reason VARCHAR, expires VARCHAR, reopened VARCHAR))',
		"exposure": 'STRUCT(service STRUCT(proto VARCHAR, address VARCHAR, port INTEGER, "owner" VARCHAR), "zone" VARCHAR, verdict VARCHAR, witness VARCHAR)',
		"coverage": 'STRUCT(collector VARCHAR, status VARCHAR, reasons VARCHAR[])',
		"state": 'STRUCT(state VARCHAR, reason VARCHAR)'
	}
);

-- The last two snapshots of each host: n is 1 for the newest. Who is named alike and is another machine is another host. One that nobody verified does
-- not count beside one that somebody did, whenever it says that it was collected: somebody else may have written it.
CREATE OR REPLACE VIEW snapshots AS
SELECT host, hostId, collectedAt, snapshot, doubted, row_number() OVER (PARTITION BY host, hostId ORDER BY doubted, collectedAt DESC, snapshot) AS n
FROM (SELECT DISTINCT host, hostId, collectedAt, coalesce(snapshot, '') AS snapshot, verified IS NOT DISTINCT FROM false AS doubted FROM rows WHERE "row" = 'coverage')
QUALIFY n <= 2 AND doubted = bool_and(doubted) OVER (PARTITION BY host, hostId);

-- The rows of these.
CREATE OR REPLACE VIEW last AS
SELECT rows.*, s.n FROM rows JOIN snapshots s ON rows.host = s.host AND rows.hostId IS NOT DISTINCT FROM s.hostId AND rows.collectedAt = s.collectedAt
	AND coalesce(rows.snapshot, '') = s.snapshot AND (rows.verified IS NOT DISTINCT FROM false) = s.doubted;

CREATE OR REPLACE VIEW newest AS SELECT * EXCLUDE (n) FROM last WHERE n = 1;
