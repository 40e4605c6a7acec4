//go:build linux && !ringfence_portable

package fleet

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/audit"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/reports"
)

func grouped(t *testing.T, dir string) (*Group, error) {
	t.Helper()
	zones := filepath.Join(t.TempDir(), "zones.yaml")
	if err := os.WriteFile(zones, []byte("zones: {workload: {interfaces: [mgmt0]}}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return Plans(context.Background(), &audit.Input{}, audit.Source{SnapshotFile: dir, ConfigFile: zones, Budget: time.Minute}, remedy.Options{Mode: remedy.Targeted})
}

// TestPlansOfAGroup: hosts with one baseline, what differs between them, and the order in which they are fixed.
func TestPlansOfAGroup(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, "a.json", snap(t, "web1", nil))
	save(t, dir, "b.json.gz", pack(t, snap(t, "web2", nil)))
	save(t, dir, "c.json", snap(t, "web3", nil))
	g, err := grouped(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Hosts) != 3 || len(g.Common) == 0 || g.Mode != remedy.Targeted {
		t.Fatalf("%d hosts, common %q, %+v", len(g.Hosts), g.Common, g.Hosts[0])
	}
	for _, h := range g.Hosts {
		if h.Unplanned != "" {
			t.Errorf("%s: %s", h.Name, h.Unplanned)
		}
		if len(h.Only)+len(h.Lacks) > 0 || h.Closes == 0 {
			t.Errorf("%s: %d closed, besides %q, not %q", h.Name, h.Closes, h.Only, h.Lacks)
		}
	}
	text := g.Text(reports.Clean)
	for _, want := range []string{"3 hosts, targeted", "the canary", "What all get:", "Nothing was changed."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	save(t, dir, "d.json", snap(t, "web1", nil))
	if _, err := grouped(t, dir); err == nil || !strings.Contains(err.Error(), "are of one host") {
		t.Errorf("two of one host: %v", err)
	}
}

// TestGroupWithoutAFix: where no host gets a rule, none is first and nothing is common.
func TestGroupWithoutAFix(t *testing.T) {
	g := &Group{Mode: remedy.Targeted}
	g.add("d", "d", nil, errors.New("why"))
	g.compare()
	if text := g.Text(reports.Clean); !strings.HasPrefix(text, "1 host, targeted. There is no fix for any:\n\n -  d (d): no fix: why\n\nNothing was changed.") {
		t.Errorf("%s", text)
	}
	g.add("e", "e", &remedy.Plan{Ruleset: "table x {\n chain c {\n one\n }\n}\n", Closes: []remedy.Target{{}}}, nil)
	g.compare()
	if text := g.Text(reports.Clean); !strings.Contains(text, "the canary: closes 1 finding, ends 0 flows in use\n") {
		t.Errorf("%s", text)
	}
}

// TestGroupCompares: lines that all have are common, each other is listed with whom it concerns, and whom nothing is planned for comes last.
func TestGroupCompares(t *testing.T) {
	g := &Group{}
	g.add("a", "a", &remedy.Plan{Ruleset: "table x {\n set s-1 {\n type ifname;\n elements = { a }\n }\n chain c {\n @s-1 one\n two\n }\n}\n", Warnings: []string{"w"}}, nil)
	g.add("b", "b", &remedy.Plan{Ruleset: "table x {\n set s-1 {\n type ifname;\n elements = { a }\n }\n chain c {\n @s-1 one\n two\n }\n}\n"}, nil)
	g.add("c", "c", &remedy.Plan{Ruleset: "table x {\n set s-2 {\n elements = { a }\n }\n chain c {\n @s-2 one\n three\n }\n}\n", Ends: []remedy.End{{Proto: "tcp", Port: 1}}}, nil)
	g.add("d", "d", nil, errors.New("why"))
	g.add("e", "e", &remedy.Plan{}, nil)
	g.compare()
	var got []string
	for _, h := range g.Hosts {
		got = append(got, h.Name+" "+strings.Join(h.Only, ",")+" "+strings.Join(h.Lacks, ",")+" "+h.Unplanned)
	}
	want := []string{"b c: two  ", "a c: two  ", "c c: three c: two ", "d   why", "e   no rule is needed"}
	if !slices.Equal(got, want) || !slices.Equal(g.Common, []string{"c: { a } one"}) {
		t.Errorf("%q, common %q, want %q", got, g.Common, want)
	}
}
