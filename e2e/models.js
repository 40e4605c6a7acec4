// Lets the readers of threat models and pages read what the printers wrote into a directory: ajv by the schema of TM-BOM, Mermaid and axe-core in
// Chromium, Graphviz. A page must ask for nothing, run nothing, and fit 400 and 1280 pixels, light and dark.
const fs = require('fs'), path = require('path'), {execFileSync} = require('child_process');
const dir = path.resolve(process.argv[2]), schema = path.resolve(process.argv[3]);
const need = name => require(require.resolve(name, {paths: [dir]}));
const Ajv = need('ajv/dist/2020').default, formats = need('ajv-formats').default, puppeteer = need('puppeteer-core');
const source = name => fs.readFileSync(require.resolve(name, {paths: [dir]}), 'utf8');
const mermaid = source('mermaid/dist/mermaid.min.js'), axe = source('axe-core/axe.min.js');

let failed = 0;
const told = (what, ok, why) => {
	console.log(`${what}: ${ok ? 'ok' : 'FAILED ' + why}`);
	failed += ok ? 0 : 1;
};

async function drawn(browser, file) {
	const page = await browser.newPage();
	await page.setContent('<body></body>');
	await page.evaluate(mermaid);
	const why = await page.evaluate(async text => {
		mermaid.initialize({startOnLoad: false});
		try {
			document.body.innerHTML = (await mermaid.render('drawing', text)).svg;
			return document.querySelector('script') ? 'a script' : '';
		} catch (e) {
			return e.message;
		}
	}, fs.readFileSync(file, 'utf8'));
	await page.close();
	return why;
}

async function read(browser, file, width, scheme) {
	const page = await browser.newPage(), faults = [];
	page.on('request', r => /^(file|data):/.test(r.url()) || faults.push('asks for ' + r.url()));
	page.on('console', m => faults.push('says ' + m.text()));
	page.on('pageerror', e => faults.push('error ' + e));
	page.on('dialog', d => { faults.push('a dialog'); d.dismiss(); });
	await page.setViewport({width, height: 900});
	await page.emulateMediaFeatures([{name: 'prefers-color-scheme', value: scheme}]);
	await page.goto('file://' + file);
	faults.push(...await page.evaluate(width => {
		const list = [];
		if (document.querySelector('script, img, iframe, object, embed')) list.push('an element that runs or loads something');
		if (document.documentElement.scrollWidth > width) list.push('wider than ' + width);
		return list;
	}, width));
	await page.evaluate(axe);
	faults.push(...await page.evaluate(async () => (await axe.run()).violations.map(v => `${v.id} (${v.impact}): ${v.nodes[0].html.slice(0, 100)}`)));
	await page.close();
	return faults.join('; ');
}

(async () => {
	const ajv = new Ajv({strict: false});
	formats(ajv);
	const valid = ajv.compile(JSON.parse(fs.readFileSync(schema)));
	const browser = await puppeteer.launch({executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking']});
	for (const name of fs.readdirSync(dir).filter(f => f.endsWith('.html')).map(f => path.join(dir, f.slice(0, -5)))) {
		told(path.basename(name) + ' TM-BOM', valid(JSON.parse(fs.readFileSync(name + '.tmbom'))), JSON.stringify(valid.errors));
		const why = await drawn(browser, name + '.mermaid');
		told(path.basename(name) + ' Mermaid', why === '', why);
		try {
			execFileSync('dot', ['-Tsvg', '-o', name + '.dot.svg', name + '.dot'], {stdio: 'pipe'});
			told(path.basename(name) + ' DOT', true);
		} catch (e) {
			told(path.basename(name) + ' DOT', false, e.message);
		}
		for (const width of [400, 1280]) {
			for (const scheme of ['light', 'dark']) {
				const faults = await read(browser, name + '.html', width, scheme);
				told(`${path.basename(name)} page at ${width}, ${scheme}`, faults === '', faults);
			}
		}
	}
	await browser.close();
	process.exit(failed ? 1 : 0);
})();
