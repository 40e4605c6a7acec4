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
		"row": 'VARCHAR', "host": 'VARCHAR', "hostId": 'VARCHAR', "collectedAt": 'TIMESTAMP', "verified": 'BOOLEAN', "signer": 'VARCHAR', "check": 'VARCHAR',
		"result": 'STRUCT(status VARCHAR, severity VARCHAR, reason VARCHAR, findings INTEGER, unknowns JSON)',
		"finding": 'STRUCT(severity VARCHAR, message VARCHAR, fingerprint VARCHAR, resource STRUCT(kind VARCHAR, "key" VARCHAR), waiver STRUCT("owner" VARCHAR, reason VARCHAR, expires VARCHAR, reopened VARCHAR))',
		"exposure": 'STRUCT(service STRUCT(proto VARCHAR, address VARCHAR, port INTEGER, "owner" VARCHAR), "zone" VARCHAR, verdict VARCHAR, witness VARCHAR)',
		"coverage": 'STRUCT(collector VARCHAR, status VARCHAR, reasons VARCHAR[])',
		"state": 'STRUCT(state VARCHAR, reason VARCHAR)'
	}
);

-- The last two snapshots of each host: n is 1 for the newest. Who is named alike and is another machine is another host.
CREATE OR REPLACE VIEW snapshots AS
SELECT host, hostId, collectedAt, row_number() OVER (PARTITION BY host, hostId ORDER BY collectedAt DESC) AS n
FROM (SELECT DISTINCT host, hostId, collectedAt FROM rows WHERE "row" = 'coverage')
QUALIFY n <= 2;

CREATE OR REPLACE VIEW newest AS
SELECT rows.* FROM rows JOIN snapshots USING (host, hostId, collectedAt) WHERE n = 1;
