//go:build linux && !ringfence_portable

package fleet

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ringfence/ringfence/audit"
	"github.com/ringfence/ringfence/exit"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/sandbox"
	"github.com/ringfence/ringfence/signature"
)

// TestMain is also the process that judges: the tests start this program again.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == sandbox.Command {
		if err := sandbox.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	syscall.Umask(0o022)
	os.Exit(m.Run())
}

const collected = "2026-11-22T12:00:00Z"

// snap is the snapshot of a host of that name, changed.
func snap(t testing.TB, name string, change func(m map[string]any)) []byte {
	t.Helper()
	b, err := os.ReadFile("../fixtures/base/host.json")
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	delete(m, "integrity")
	m["host"].(map[string]any)["name"], m["host"].(map[string]any)["machineId"] = name, fmt.Sprintf("%064x", name)
	m["collectedAt"] = collected
	if change != nil {
		change(m)
	}
	if b, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return b
}

func save(t testing.TB, dir, name string, b []byte) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, b, 0o644)); err != nil {
		t.Fatal(err)
	}
	return file
}

func pack(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// ran runs, and returns what went to standard output with the exit code.
func ran(t testing.TB, r *Run, format string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	f, err := reports.Named(format)
	if err != nil {
		t.Fatal(err)
	}
	r.Outputs = append([]reports.Output{{Format: f}}, r.Outputs...)
	r.Stdout, r.Source.Budget, r.Bar.FailOn = &out, time.Minute, "high"
	r.Options = func(bool) reports.Options { return reports.Options{} }
	if r.Now.IsZero() {
		r.Now, _ = time.Parse(time.RFC3339, collected)
	}
	err = r.Do(context.Background(), false)
	code := exit.OK
	if ee := new(exit.Error); errors.As(err, &ee) {
		code = ee.Code
	} else if err != nil {
		code = exit.Usage
		out.WriteString(err.Error())
	}
	return out.String(), code
}

// viewed is the view of all hosts in the JSON of a run.
func viewed(t *testing.T, r *Run) (*finding.Fleet, int) {
	t.Helper()
	text, code := ran(t, r, "json")
	var all struct {
		Schema  string
		Reports []finding.Report
		Fleet   *finding.Fleet
	}
	if err := json.Unmarshal([]byte(text), &all); err != nil || all.Fleet == nil {
		t.Fatalf("%v: %s", err, text)
	}
	if all.Schema != reports.ManySchema || len(all.Reports) != all.Fleet.Counts.Judged+all.Fleet.Counts.Older {
		t.Errorf("%d reports of schema %s", len(all.Reports), all.Schema)
	}
	return all.Fleet, code
}

func hosts(f *finding.Fleet) string {
	var out []string
	for _, h := range f.Hosts {
		out = append(out, h.Name+" "+h.State)
	}
	return strings.Join(out, ", ")
}

// TestWaysIn: files, directories, patterns, packed files, lines and standard input, each with its snapshots.
func TestWaysIn(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, "a/web1.json", snap(t, "web1", nil))
	save(t, dir, "a/deep/web2.json.gz", pack(t, snap(t, "web2", nil)))
	save(t, dir, "a/README.md", []byte("no snapshot"))
	save(t, dir, "a/web1.json.sig", []byte("no snapshot"))
	save(t, dir, "b/three.jsonl", append(append(snap(t, "web3", nil), '\n'), snap(t, "web4", nil)...))
	save(t, dir, "c/web5.json", snap(t, "web5", nil))
	r := &Run{Files: []string{filepath.Join(dir, "a"), filepath.Join(dir, "*", "*.jsonl"), filepath.Join(dir, "c/web5.json"), "-"}}
	r.Stdin = bytes.NewReader(pack(t, append(append(snap(t, "web6", nil), "\n \n"...), snap(t, "web7", nil)...)))
	f, code := viewed(t, r)
	if got := hosts(f); got != "web1 judged, web2 judged, web3 judged, web4 judged, web5 judged, web6 judged, web7 judged" || code != exit.OK {
		t.Errorf("%s: %d", got, code)
	}
	for _, empty := range []string{t.TempDir(), filepath.Join(dir, "*.nothing")} {
		if out, code := ran(t, &Run{Files: []string{empty}}, "json"); code != exit.Usage || !strings.Contains(out, "no file of that kind") {
			t.Errorf("%d %s", code, out)
		}
	}
	if out, code := ran(t, &Run{Trust: Trust{MaxAge: time.Hour}}, "table"); code != exit.Usage || !strings.Contains(out, "want --snapshot") {
		t.Errorf("without a snapshot: %d %s", code, out)
	}
}

// TestNothingIsKnown: a host that is missing, and one whose snapshot is no good, are hosts of which nothing is known, and end no run.
func TestNothingIsKnown(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, "s/web1.json", snap(t, "web1", nil))
	save(t, dir, "s/web2.json", snap(t, "web2", nil)[:3000])
	save(t, dir, "s/web3.json", []byte("no JSON"))
	save(t, dir, "s/web4.json.gz", pack(t, snap(t, "web4", nil))[:500])
	save(t, dir, "s/web5.json", snap(t, "web5", func(m map[string]any) {
		m["fromTheFuture"] = true
		m["tool"].(map[string]any)["version"] = "99.1.0"
	}))
	save(t, dir, "s/web6.json", snap(t, "web6", func(m map[string]any) { m["schema"] = "ringfence.snapshot/v2" }))
	other := fmt.Sprintf("%064x", "web1") // another host is called as web1 says that its machine is
	expect := save(t, dir, "hosts", []byte("# ours\nweb1\nWEB2\nweb9 10.0.0.9 "+other+"\n"))
	r := &Run{Files: []string{filepath.Join(dir, "s")}, Expect: expect}
	r.Source.Which.Only = []string{"ssh"}
	f, code := viewed(t, r)
	want := "web9 missing, web2 refused, web3 refused, web4 refused, web5 refused, web6 refused, web1 judged"
	if got := hosts(f); got != want || code != exit.Incomplete {
		t.Errorf("%s: exit code %d, want %s: 3", got, code, want)
	}
	for _, h := range f.Hosts {
		for name, why := range map[string]string{
			"web2": "unexpected end", "web4": "ends early", "web5": "ringfence 99.1.0 collected it", "web6": `schema "ringfence.snapshot/v2"`, "web9": "expects one",
		} {
			if h.Name == name && !strings.Contains(h.Reason, why) {
				t.Errorf("%s: %s, want %s", h.Name, h.Reason, why)
			}
		}
	}
	lines, _ := ran(t, &Run{Files: []string{filepath.Join(dir, "s")}, Expect: expect}, "jsonl")
	for _, want := range []string{`"row":"host","host":"web9",`, `"verified":false,"state":{"name":"web9","state":"missing"`} {
		if !strings.Contains(lines, want) {
			t.Errorf("no %s in the lines", want)
		}
	}
	for line := range strings.Lines(lines) {
		if !strings.Contains(line, `"verified":false`) {
			t.Errorf("not marked: %.300s", line)
		}
	}
}

// TestOlder: of several snapshots of one host the newest counts, and none without a signature displaces one that has it.
func TestOlder(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, "old.json", snap(t, "web1", nil))
	save(t, dir, "new.json", snap(t, "web1", func(m map[string]any) { m["collectedAt"] = "2026-11-22T13:00:00+00:30" }))
	f, _ := viewed(t, &Run{Files: []string{dir}})
	if got := hosts(f); got != "web1 judged, web1 older" || f.Hosts[0].File != filepath.Join(dir, "new.json") || f.Counts.Hosts != 1 {
		t.Errorf("%s, %+v", got, f.Hosts)
	}
	f = &finding.Fleet{}
	for _, h := range []finding.FleetHost{
		{Name: "web1", CollectedAt: "2026-01-01T00:00:00Z", Trust: &finding.Trust{Verified: true}},
		{Name: "web1", CollectedAt: "2027-01-01T00:00:00Z"},
	} {
		h.State = finding.Judged
		f.Add(&finding.Brief{Host: h})
	}
	f.Finish(nil)
	if !f.Hosts[0].Trust.Holds() || f.Hosts[1].State != finding.Older {
		t.Errorf("%+v", f.Hosts)
	}
}

// TestTrust: what is signed by the host's key is verified, what has no signature is judged and marked, and all else is refused.
func TestTrust(t *testing.T) {
	dir := t.TempDir()
	line, sign := hostKey(t)
	_, other := hostKey(t)
	known := save(t, dir, "known_hosts", []byte("web1,web2,web3,10.0.0.4,web5,web6 "+line+"\n"))
	expect := save(t, dir, "hosts", []byte("web1\nweb2\nweb3\nweb4 10.0.0.4\nweb5\nweb6\nweb7\n"))
	put := func(name string, b, signed []byte, with func([]byte, string) []byte, namespace string) {
		save(t, dir, "s/"+name, b)
		if with != nil {
			save(t, dir, "s/"+name+".sig", with(signed, namespace))
		}
	}
	nonce := func(m map[string]any) { m["nonce"] = "n1" }
	web := func(n int) []byte { return snap(t, fmt.Sprint("web", n), nonce) }
	put("web1.json", web(1), web(1), sign, signature.Namespace)
	put("web2.json", web(2), nil, nil, "")                                                        // not signed
	put("web3.json", web(3), web(3), other, signature.Namespace)                                  // by somebody else
	put("web4.json.gz", pack(t, web(4)), pack(t, web(4)), sign, signature.Namespace)              // known by its address
	put("web5.json", web(5), web(5), sign, "file")                                                // another purpose
	put("web6.json", web(6), web(1), sign, signature.Namespace)                                   // the signature of another snapshot
	put("web7.json", web(7), web(7), sign, signature.Namespace)                                   // known, but not by that name
	put("web8.json", snap(t, "web1", func(m map[string]any) { m["nonce"] = "n0" }), nil, nil, "") // of another time
	run := func() *Run {
		return &Run{Files: []string{filepath.Join(dir, "s")}, Expect: expect, Trust: Trust{KnownHosts: []string{known}, Nonce: "n1", MaxAge: time.Hour}}
	}
	f, code := viewed(t, run())
	got := map[string]string{}
	for _, h := range f.Hosts {
		got[filepath.Base(h.File)] = fmt.Sprint(h.State, " ", h.Trust.Holds())
	}
	for file, want := range map[string]string{
		"web1.json": "judged true", "web2.json": "judged false", "web3.json": "refused false", "web4.json.gz": "judged true", "web5.json": "refused false",
		"web6.json": "refused false", "web7.json": "refused false", "web8.json": "refused false",
	} {
		if got[file] != want {
			t.Errorf("%s: %s, want %s", file, got[file], want)
		}
	}
	if code != exit.Incomplete {
		t.Errorf("exit code %d", code)
	}
	late := run()
	late.Now = late.Now.AddDate(0, 0, 1)
	late.Now, _ = time.Parse(time.RFC3339, "2026-11-22T13:00:01Z")
	if out, code := ran(t, late, "table"); code != exit.Usage || !strings.Contains(out, "it is older than 1h0m0s") {
		t.Errorf("a replay: %d %s", code, out)
	}
	early := run()
	early.Now, _ = time.Parse(time.RFC3339, "2026-11-22T11:54:00Z")
	if out, code := ran(t, early, "table"); code != exit.Usage || !strings.Contains(out, "has not come yet") {
		t.Errorf("of the future: %d %s", code, out)
	}
	unsigned := &Run{Files: []string{filepath.Join(dir, "s/web2.json")}, Trust: Trust{KnownHosts: []string{known}}}
	if out, code := ran(t, unsigned, "jsonl"); code != exit.Incomplete || !strings.Contains(out, `"verified":false`) {
		t.Errorf("%d %.300s", code, out)
	}
	if out, code := ran(t, &Run{Files: []string{filepath.Join(dir, "s/web3.json")}, Trust: Trust{KnownHosts: []string{known}}}, "json"); code != exit.Usage ||
		!strings.Contains(out, "nobody is known to have the key") {
		t.Errorf("%d %.300s", code, out)
	}
}

// TestFlippedFiles: a byte that is changed in a snapshot, its signature or the signers makes that nothing is judged.
func TestFlippedFiles(t *testing.T) {
	dir := t.TempDir()
	line, sign := hostKey(t)
	b := snap(t, "web1", nil)
	files := map[string][]byte{"web1.json": b, "web1.json.sig": sign(b, signature.Namespace), "known_hosts": []byte("web1 " + line)}
	for name, text := range files {
		save(t, dir, name, text)
	}
	run := func() (string, int) {
		return ran(t, &Run{Files: []string{filepath.Join(dir, "web1.json")}, Trust: Trust{KnownHosts: []string{filepath.Join(dir, "known_hosts")}}}, "json")
	}
	if out, code := run(); code != exit.OK || !strings.Contains(out, `"principal": "web1"`) {
		t.Fatalf("%d %.300s", code, out)
	}
	for name, text := range files {
		for i := range 2 { // package signature flips thousands
			bad := bytes.Clone(text)
			bad[len(bad)*(2*i+1)/4] ^= 0x55
			save(t, dir, name, bad)
			if out, code := run(); code != exit.Usage {
				t.Errorf("%s, byte %d: %d %.200s", name, len(bad)*(2*i+1)/4, code, out)
			}
		}
		save(t, dir, name, text)
	}
}

// TestFormats: each format is written for several hosts, or refused before anything is judged.
func TestFormats(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, "web1.json", snap(t, "web1", nil))
	save(t, dir, "web2.json", snap(t, "we\x1bb2", func(m map[string]any) { m["network"].(map[string]any)["links"] = nil }))
	save(t, dir, "web3.json", snap(t, "web3", func(m map[string]any) {
		for _, c := range m["coverage"].([]any) {
			if c := c.(map[string]any); c["collector"] == "ssh" {
				c["status"], c["reasons"] = "denied", []string{"permission denied"}
			}
		}
	}))
	for _, f := range reports.Formats() {
		out, code := ran(t, &Run{Files: []string{dir}}, f.Name)
		if f.Many == (code == exit.Usage) {
			t.Errorf("%s: %d %s", f.Name, code, out)
		}
		mark := map[string]string{"json": `"verified": false`, "jsonl": `"verified":false`, "table": "not verified", "html": "not verified: nobody", "markdown": "Verified: `no:", "junit": `name="verified" value="no:`}[f.Name]
		if mark == "" {
			mark = "no: nobody asked who signed it"
		}
		if f.Many && !strings.Contains(out, mark) {
			t.Errorf("%s does not say that nothing is verified", f.Name)
		}
		if strings.Contains(out, "\x1b") {
			t.Errorf("%s: an escape sequence of the host", f.Name)
		}
	}
	table, code := ran(t, &Run{Files: []string{dir}}, "table")
	for _, want := range []string{"NOTHING IS KNOWN OF", `we\x1bb2`, "refused", "ssh/password-authentication"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
	if code != exit.Findings || strings.Index(table, "web3") > strings.Index(table, " web1 ") {
		t.Errorf("%d: the unknown host is not before the other\n%s", code, table)
	}
	file := filepath.Join(dir, "all.json")
	csv, _ := reports.Named("csv")
	_, _ = ran(t, &Run{Files: []string{filepath.Join(dir, "web1.json"), filepath.Join(dir, "web3.json")}, Outputs: []reports.Output{{Format: csv, File: file}}}, "table")
	if b, err := os.ReadFile(file); err != nil || !bytes.Contains(b, []byte("web3")) {
		t.Errorf("%v %s", err, b)
	}
}

// TestSeveralOnStandardInput: standard input has one snapshot or several, and is read again from its beginning.
func TestSeveralOnStandardInput(t *testing.T) {
	two := append(append([]byte(" \n"), snap(t, "web1", nil)...), snap(t, "web2", nil)...)
	for what, c := range map[string]struct {
		text []byte
		want bool
	}{
		"two": {two, true}, "two packed": {pack(t, two), true}, "one": {snap(t, "web1", nil), false}, "one and something": {append(snap(t, "web1", nil), 'x'), false},
		"none": {nil, false}, "no JSON": {[]byte("x"), false},
	} {
		r := &Run{Files: []string{"-"}, Stdin: bytes.NewReader(c.text)}
		got := r.Several()
		var all bytes.Buffer
		if _, err := all.ReadFrom(r.Stdin); err != nil || got != c.want || !bytes.Equal(all.Bytes(), c.text) {
			t.Errorf("%s: %v, %v, %d of %d bytes", what, got, err, all.Len(), len(c.text))
		}
	}
}

// TestExpectedHosts: a file of hosts that is wrong is an error.
func TestExpectedHosts(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{"": "no host is in it", "web1\nweb1\n": "there twice", "web1 ansible_host=10.0.0.1\n": "want a host a line", "[web]\nweb1\n": "want a host a line"} {
		if _, err := readExpected(save(t, dir, "hosts", []byte(text))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte(`{"a":"}\""} {"b":[{}]}`))
	f.Add(snap(f, "web1", nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		stream("-", bytes.NewReader(b), func(d *document) bool {
			if n++; d.err == nil && (len(d.text) == 0 || d.text[0] != '{') {
				t.Errorf("%q", d.text)
			}
			return n < 1000
		})
		if n == 0 {
			t.Error("nothing was told")
		}
	})
}

// BenchmarkFleet judges many snapshots as "audit --snapshot DIR" does, but for the size of the program.
func BenchmarkFleet(b *testing.B) {
	dir := b.TempDir()
	for i := range 50 {
		save(b, dir, fmt.Sprintf("web%d.json", i), snap(b, fmt.Sprint("web", i), nil))
	}
	for b.Loop() {
		if out, code := ran(b, &Run{Files: []string{dir}, Source: audit.Source{}}, "jsonl"); code != exit.OK {
			b.Fatalf("%d %.200s", code, out)
		}
	}
}

// TestNamesOfSnapshots: what is no name of a file where a snapshot is written to is refused before anything is looked at.
func TestNamesOfSnapshots(t *testing.T) {
	for name, want := range map[string]string{"-": "host.json", "json=x.json": "x.json", "json=": "host.json"} {
		if err := (&Keep{File: name}).Check(); err == nil || !strings.Contains(err.Error(), "want FILE alone, such as "+want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "x.json", "a=b.json"} {
		if err := (&Keep{File: name}).Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
