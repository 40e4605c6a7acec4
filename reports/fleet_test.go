package reports

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/clipperhouse/displaywidth"

	"github.com/ringfence/ringfence/finding"
)

func fleetTable(t *testing.T, f *finding.Fleet, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := NewMany(&b, "table", o, false).End(f); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestFleetTableKeepsItsWidth: no line is wider than the terminal, and each host and check is there.
func TestFleetTableKeepsItsWidth(t *testing.T) {
	for _, n := range []int{2, 5, 40} {
		f := hosts(n, func(i int) string { return fmt.Sprintf("database-%d.rack-7.example.org", i) })
		for i := range f.Hosts {
			f.Hosts[i].CollectedAt = "2026-11-30T01:37:23Z"
		}
		for _, width := range []int{40, 52, 60, 73, 80, 87, 88, 100, 160} {
			text := fleetTable(t, f, Options{Width: width})
			for l := range strings.Lines(text) {
				if l = strings.TrimRight(l, "\n"); displaywidth.String(l) > width {
					t.Errorf("%d hosts in %d columns: %q", n, width, l)
				}
			}
			for _, want := range []string{"NOTHING IS KNOWN OF", "2 hosts not known", "not verified", "a/a", "1 unknown"} {
				if want == "1 unknown" && width >= hostColumns+leastName {
					continue // which is a column
				}
				if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
					t.Errorf("%d hosts in %d columns: no %q in\n%s", n, width, want, text)
				}
			}
		}
	}
}

// TestTablesInASCII: a terminal that shows no more gets no more, in as many columns.
func TestTablesInASCII(t *testing.T) {
	r := pageReport()
	r.Results[0].Findings[0].Evidence = []string{strings.Repeat("long evidence ", 30)}
	for _, text := range []string{
		string(write(t, "table", r, Options{Width: 80, ASCII: true})),
		fleetTable(t, hosts(5, func(i int) string { return fmt.Sprint("a-very-long-name-of-a-host-", i) }), Options{Width: 100, ASCII: true}),
	} {
		if strings.ContainsFunc(text, func(r rune) bool { return r > 0x7e }) || !strings.Contains(text, " - ") || !strings.Contains(text, "~") {
			t.Errorf("%s", text)
		}
		for l := range strings.Lines(text) {
			if len(l) > 101 {
				t.Errorf("%q", l)
			}
		}
	}
}

// TestFleetOfNothing: where no snapshot was judged, nothing was found is not what is said.
func TestFleetOfNothing(t *testing.T) {
	f := hosts(0, func(i int) string { return fmt.Sprintf("web%d", i) })
	f.Checks = nil
	text := fleetTable(t, f, Options{Width: 80})
	if strings.Contains(text, "nothing found") || strings.Contains(text, "HOSTS") || !strings.Contains(text, "nothing is known") {
		t.Errorf("%s", text)
	}
	if page := fleetPage(t, f); strings.Contains(page, "nothing found") || !strings.Contains(page, "nothing is known") {
		t.Error("the page")
	}
}
