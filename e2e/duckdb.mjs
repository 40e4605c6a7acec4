// The queries of deploy/duckdb on rows of 1,000 hosts with two snapshots each, about 500 MB: node duckdb.mjs ROWS DIR REPO. ROWS is what
// "ringfence audit -f jsonl" wrote of one host; the others are made of it. Each query has to find what was put there, within 5 seconds.
import { createWriteStream, mkdirSync, readFileSync, rmSync, statSync, readdirSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { createRequire } from 'node:module';

const [template, work, repo] = process.argv.slice(2);
const { DuckDBInstance } = createRequire(join(work, 'x.js'))('@duckdb/node-api');
const HOSTS = Number(process.env.HOSTS ?? 1000), LIMIT = 5000, FILES = 8, BYTES = 250_000;
const base = readFileSync(template, 'utf8').trim().split('\n').map((l) => JSON.parse(l));
const id = (n) => n.toString(16).padStart(64, '0');
const soon = new Date(Date.now() + 10 * 864e5).toISOString().slice(0, 10), late = new Date(Date.now() + 200 * 864e5).toISOString().slice(0, 10);

// rowsOf are the rows of one snapshot of a host.
function rowsOf(n, day) {
	const head = { host: `web${n}`, hostId: id(n), collectedAt: `2026-11-${day}T12:00:00Z`, verified: n % 100 !== 0, signer: `web${n}` };
	const rows = base.filter((r) => r.row !== 'exposure' && r.row !== 'finding').map((r) => ({ ...r, ...head }));
	const result = rows.find((r) => r.check === 'ssh/password-authentication');
	const listeners = rows.find((r) => r.coverage?.collector === 'listeners');
	if (day === 22) result.result = { ...result.result, status: n % 10 === 3 ? 'fail' : 'pass' };
	else result.result = { ...result.result, status: 'pass' };
	if (n % 50 === 7) listeners.coverage = { collector: 'listeners', status: 'denied', reasons: ['permission denied'] };
	else listeners.coverage = { collector: 'listeners', status: 'ok' };
	if (n % 10 === 3) {
		const waiver = n % 20 === 3 ? { reason: 'until Q1', owner: 'sre@example.org', expires: n % 40 === 3 ? soon : late } : undefined;
		rows.push({ ...base[0], ...head, row: 'finding', result: undefined, check: 'ssh/password-authentication', finding: { resource: { kind: 'sshd', key: 'sshd' }, message: 'm', severity: 'high', evidence: [], remediation: [], fingerprint: id(n), waiver } });
	}
	let size = rows.reduce((s, r) => s + JSON.stringify(r).length, 0);
	for (let port = 1; size < BYTES; port++) {
		const open = port === 22 && n % 4 === 1;
		const row = { ...base[0], ...head, row: 'exposure', check: undefined, result: undefined, exposure: { service: { proto: 'tcp', address: '0.0.0.0', port, owner: port === 22 ? 'sshd' : `service ${port}`, namespace: 'host' }, zone: 'workload', origin: 'docker0', family: 'ipv4', verdict: open ? 'reachable' : 'unreachable', witness: open ? 'in docker0 tcp' : undefined, stoppedBy: open ? undefined : [{ where: 'inet filter/input#policy', text: 'policy drop' }], checked: true } };
		size += JSON.stringify(row).length;
		rows.push(row);
	}
	return rows;
}

const dir = join(work, 'rows');
rmSync(dir, { recursive: true, force: true });
mkdirSync(dir, { recursive: true });
for (let f = 0; f < FILES; f++) {
	const out = createWriteStream(join(dir, `${f}.jsonl`));
	for (let n = f; n < HOSTS; n += FILES)
		for (const day of [21, 22])
			if (!out.write(rowsOf(n, day).map((r) => JSON.stringify(r)).join('\n') + '\n')) await once(out, 'drain');
	// Somebody without a key writes of web1, by a later time and by the same, that it is not open.
	if (f === 1) for (const collectedAt of ['2026-11-22T12:00:00Z', '2027-01-01T00:00:00Z'])
		out.write(rowsOf(1, 22).filter((r) => r.row !== 'exposure').map((r) => JSON.stringify({ ...r, collectedAt, verified: false, signer: undefined, snapshot: 'sha256:0', result: r.result && { ...r.result, status: 'fail' } })).join('\n') + '\n');
	if (f === 0) out.write(JSON.stringify({ schema: 'ringfence.row/v1', row: 'host', host: 'gone', collectedAt: null, verified: false, state: { name: 'gone', state: 'missing', reason: 'expected' } }) + '\n');
	out.end();
	await once(out, 'close');
}
const bytes = readdirSync(dir).reduce((s, f) => s + statSync(join(dir, f)).size, 0);
console.log(`${HOSTS} hosts, ${Math.round(bytes / 1e6)} MB`);

const db = await (await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '2GB' })).connect();
await db.run(`SET VARIABLE rows = '${dir}/*.jsonl'`);
await db.run(readFileSync(join(repo, 'deploy/duckdb/views.sql'), 'utf8'));
const count = (every, rest) => [...Array(HOSTS).keys()].filter((n) => n % every === rest).length;
const want = {
	reachable_from_workload: (r) => r.length === 1 && Number(r[0].hosts) === count(4, 1) && r[0].service === 'sshd',
	worst_coverage: (r) => r.some((x) => x.host === 'gone' && x.why === 'missing: expected') && r.filter((x) => x.not_seen_whole?.includes('listeners')).length === count(50, 7),
	waivers_that_end: (r) => r.length === 1 && Number(r[0].hosts) === count(40, 3) && r[0].who === 'sre@example.org',
	drift_by_check: (r) => r.length === 1 && r[0].before === 'pass' && r[0].now === 'fail' && Number(r[0].hosts) === count(10, 3),
	findings_by_check: (r) => r.length === 1 && Number(r[0].hosts) === count(10, 3) - count(20, 3),
	not_verified: (r) => r.length === count(100, 0) + 1 && r.some((x) => x.host === 'web1'),
};
let failed = 0;
for (const part of readFileSync(join(repo, 'deploy/duckdb/queries.sql'), 'utf8').split(/^-- name: /m).slice(1)) {
	const name = part.split('\n', 1)[0].trim(), begin = Date.now(), used = process.cpuUsage();
	const rows = (await db.runAndReadAll(part.slice(name.length))).getRowObjectsJson(), wall = Date.now() - begin;
	const cpu = process.cpuUsage(used), ms = Math.round((cpu.user + cpu.system) / 2000); // of two cores, whatever else runs on them
	const ok = want[name]?.(rows) && ms <= LIMIT;
	if (!ok) failed++;
	delete want[name];
	console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}: ${rows.length} rows in ${ms} ms of two cores (${wall} ms by the clock)`);
	if (!ok) console.log(JSON.stringify(rows.slice(0, 3)));
}
rmSync(dir, { recursive: true, force: true });
if (failed || Object.keys(want).length) { console.log('failed:', failed, Object.keys(want)); process.exit(1); }
