//go:build linux && !ringfence_portable

package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/sandbox"
	"github.com/ringfence/ringfence/snapshot"
)

// TestMain answers as the process that judges, which the program starts itself as.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == sandbox.Command {
		if err := sandbox.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// file writes a file that nobody else can write, in a directory of the same kind.
func file(t *testing.T, name string, b []byte) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	if err := errors.Join(os.WriteFile(path, b, 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestLoad: a snapshot is judged from a file and from standard input, and what is wrong with the configuration comes before it is read.
func TestLoad(t *testing.T) {
	snap := file(t, "s.json", fixtures.HostJSON)
	in := &Input{Stdin: bytes.NewReader(fixtures.HostJSON)}
	for _, from := range []string{snap, "-"} {
		text, err := in.Explain(t.Context(), "", "firewall/no-input-filter", &Source{SnapshotFile: from, Budget: time.Minute})
		if err != nil || !strings.HasPrefix(text, "firewall/no-input-filter (") {
			t.Fatalf("%s: %v %q", from, err, text)
		}
	}
	b, err := json.Marshal(&finding.Report{Schema: finding.Schema, Host: finding.Host{Name: "h"}})
	if err != nil {
		t.Fatal(err)
	}
	report := file(t, "r.json", b)
	json := []sandbox.Rendering{JSON}
	if got, err := in.Convert(t.Context(), []string{report}, json); err != nil || len(got) != 1 || !strings.Contains(string(got[0]), `"name": "h"`) {
		t.Errorf("a report: %v", err)
	}
	if d, err := in.Compare(t.Context(), snap, snap, &Source{Budget: time.Minute}); err != nil || d.Worse || !strings.Contains(string(d.Text), "nothing changed") {
		t.Errorf("a snapshot: %v", err)
	}
	if _, err := in.Compare(t.Context(), snap, report, &Source{Budget: time.Minute}); err == nil || !strings.Contains(err.Error(), finding.ErrOtherHost.Error()) {
		t.Errorf("two hosts: %v", err)
	}
	if _, err := in.Convert(t.Context(), []string{"nofile"}, json); err == nil || strings.Count(err.Error(), "nofile") != 1 {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := in.Convert(t.Context(), []string{report, report}, json); err == nil || !strings.Contains(err.Error(), "are of the same snapshot of one host") {
		t.Errorf("one report twice: %v", err)
	}
	if _, err := in.Explain(t.Context(), report, "x", &Source{SnapshotFile: snap}); err == nil || !strings.Contains(err.Error(), "do not go together") {
		t.Errorf("a report and a snapshot: %v", err)
	}
	bad := file(t, "c.yaml", []byte("zones: {moon: {}}"))
	see := func(context.Context, time.Duration, ...string) (*snapshot.Snapshot, error) {
		t.Error("the host was looked at")
		return nil, errors.New("no host")
	}
	if _, err := (&Input{See: see}).Load(t.Context(), &Source{ConfigFile: bad}); err == nil || !strings.Contains(err.Error(), `zone "moon"`) {
		t.Errorf("a bad configuration: %v", err)
	}
	if _, err := in.Compare(t.Context(), report, report, &Source{ConfigFile: bad}); err == nil || !strings.Contains(err.Error(), `zone "moon"`) {
		t.Errorf("a bad configuration of two reports: %v", err)
	}
}

func TestSince(t *testing.T) {
	b, err := json.Marshal(&finding.Report{Schema: finding.Schema, Host: finding.Host{Name: "h", ID: "i"}})
	if err != nil {
		t.Fatal(err)
	}
	base := file(t, "b.json", b)
	snap := file(t, "s.json", fixtures.HostJSON)
	load := func(base string) (*Material, error) {
		return (&Input{}).Load(t.Context(), &Source{SnapshotFile: snap, Baseline: base, Budget: time.Minute})
	}
	m, err := load(base)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if d, err := m.Since(t.Context(), b); err != nil || d.Worse {
		t.Errorf("%v", err)
	}
	if err := os.Chmod(base, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := load(base); err == nil || !strings.Contains(err.Error(), "writable by everybody") {
		t.Errorf("a baseline that others can write: %v", err)
	}
	none := file(t, "c.json", []byte("{}"))
	if _, err := load(none); err == nil || !strings.Contains(err.Error(), "baseline: "+none+": report: schema") {
		t.Errorf("no report: %v", err)
	}
}

func TestRead(t *testing.T) {
	in := &Input{Stdin: strings.NewReader("12345")}
	if _, err := in.Read("-", host.OpenRegular, 4); !errors.Is(err, ErrTooLarge) {
		t.Errorf("5 bytes of at most 4: %v", err)
	}
	if b, err := in.Read(file(t, "f", []byte("1234")), host.OpenRegular, 4); err != nil || string(b) != "1234" {
		t.Errorf("4 bytes of at most 4: %q %v", b, err)
	}
	if _, err := in.Snapshot("/dev/null"); err == nil || !strings.Contains(err.Error(), "- is standard input") {
		t.Errorf("a device: %v", err)
	}
}

func TestQuestion(t *testing.T) {
	for _, c := range []struct {
		q    Question
		want string
	}{
		{Question{From: "external"}, "wants --from and --to"},
		{Question{From: "a", To: "b", Dport: 70000}, "want 0 to 65535"},
		{Question{From: "a", To: "b", Proto: "foo"}, `protocol "foo"`},
		{Question{From: "external", To: "host", Proto: "icmp", Dport: 22}, "dport 22: icmp has no ports"},
		{Question{From: "wrkload", To: "host", Proto: "tcp"}, "did you mean workload?"},
		{Question{From: "external", To: "hots", Proto: "tcp"}, "did you mean host?"},
		{Question{From: "iface:", To: "host", Proto: "tcp"}, "iface:NAME"},
		{Question{From: "external", To: "addr:300.1.1.1", Proto: "tcp"}, "want addr:IP"},
		{Question{From: "iface:a", To: "guest:b", Proto: "tcp"}, ""},
	} {
		err := c.q.Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.q, err)
		}
	}
	q := Question{From: "management", To: "host", Proto: "tcp", Dport: 22, State: "new", NoCertificate: true}
	a, err := q.Ask(t.Context(), fixtures.Host(), nil, nil)
	if err != nil || a.Verdict != "reachable" || a.Witness == nil || a.Certificate != nil || a.Question["dport"] != 22 {
		t.Errorf("%+v %v", a, err)
	}
	q.Src = []string{"nowhere"}
	if _, err := q.Ask(t.Context(), fixtures.Host(), nil, nil); err == nil || err.Error() != `src "nowhere": want an address or a prefix` {
		t.Errorf("%v", err)
	}
}

func TestTraceLines(t *testing.T) {
	tracer := exposure.New(t.Context(), fixtures.Host(), exposure.Limits{}, nil).Tracer()
	const line = `{"id":7,"in":"ext0","src":"198.51.100.5","dst":"203.0.113.1","proto":"tcp","sport":40000,"dport":22,"flags":"S"}` + "\n"
	var out bytes.Buffer
	if err := TraceLines(tracer, strings.NewReader(line+line), &out); err != nil || strings.Count(out.String(), `{"id":7,"fate":`) != 2 {
		t.Errorf("%v\n%s", err, &out)
	}
	out.Reset()
	if err := TraceLines(tracer, strings.NewReader(strings.Replace(line, "7", "\"\u009b31m\"", 1)), &out); err != nil || !strings.Contains(out.String(), `{"id":"\u009b31m","fate":`) {
		t.Errorf("what acts on a terminal is written as it is: %v %q", err, &out)
	}
	for text, want := range map[string]string{line + "no\n": "batch: line 2: ", `{"in":"ext0"}` + "\n": "batch: line 1: "} {
		if err := TraceLines(tracer, strings.NewReader(text), &out); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestOneStandardInput: standard input is read once.
func TestOneStandardInput(t *testing.T) {
	in := &Input{Stdin: strings.NewReader("{}")}
	if _, err := in.Compare(t.Context(), "-", "-", new(Source)); err == nil || !strings.Contains(err.Error(), "can be one of the files only") {
		t.Errorf("diff - -: %v", err)
	}
	if _, err := in.Convert(t.Context(), []string{"-", "x", "-"}, nil); err == nil || !strings.Contains(err.Error(), "can be one of the files only") {
		t.Errorf("merge - x -: %v", err)
	}
}
