package assume

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/finding"
)

func seenAt(at, validity, open string) *finding.Report {
	return &finding.Report{
		Host: finding.Host{Name: "web1", ID: "m1"}, Snapshot: finding.Snapshot{CollectedAt: at},
		Assumptions: []finding.Assumption{{ID: "x", Validity: validity, Open: open, Because: []string{"so"}}, {ID: "y", Validity: finding.Confirmed}},
	}
}

// TestHistory: only what changed is a line, each host has its own, and a report of an earlier time is refused.
func TestHistory(t *testing.T) {
	var list []Transition
	for _, c := range []struct {
		at, validity, open string
		want               int
	}{
		{"2027-01-01T00:00:00Z", "confirmed", "", 2},
		{"2027-01-02T00:00:00Z", "confirmed", "", 0},
		{"2027-01-03T00:00:00Z", "rejected", "", 1},
		{"2027-01-03T00:00:00Z", "rejected", "", 0},
		{"2027-01-04T00:00:00+01:00", "confirmed", "", 1},
		{"2027-01-05T00:00:00Z", "unconfirmed", "unseen", 1},
		{"2027-01-06T00:00:00Z", "unconfirmed", "overdue", 1},
	} {
		more, err := Transitions(list, seenAt(c.at, c.validity, c.open), "sha256:1")
		if err != nil || len(more) != c.want {
			t.Fatalf("%+v: %v %v", c, more, err)
		}
		list = append(list, more...)
	}
	other := seenAt("2027-01-01T00:00:00Z", "confirmed", "")
	other.Host = finding.Host{Name: "web2", ID: "m2"}
	if more, err := Transitions(list, other, ""); err != nil || len(more) != 2 {
		t.Errorf("%v %v", more, err)
	}
	if _, err := Transitions(list, seenAt("2027-01-01T00:00:00Z", "rejected", ""), ""); err == nil {
		t.Error("a history turns back")
	}
	if _, err := Transitions(list, seenAt("yesterday", "rejected", ""), ""); err == nil {
		t.Error("a time that is none")
	}
	text, err := Text(list)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadHistory(text)
	if err != nil || cmp.Diff(list, again) != "" || strings.Count(string(text), "\n") != len(list) {
		t.Fatalf("%v %s", err, cmp.Diff(list, again))
	}
	want := []string{"x: first seen -> confirmed", "y: first seen", "x: confirmed -> rejected: so", "x: rejected -> confirmed", "x: confirmed -> unconfirmed (unseen)", "x: unconfirmed (unseen) -> unconfirmed (overdue)"}
	for i, l := range strings.Split(strings.TrimSpace(Told(again, 0)), "\n") {
		if !strings.Contains(l, want[i]) {
			t.Errorf("%s, want %s", l, want[i])
		}
	}
	for _, bad := range []string{"{", `{"time":"x"}`, `{"time":"2027-01-01T00:00:00Z","id":"x","validity":"maybe"}`, `{"tim":1}`, `{"time":"2027-01-01T00:00:00Z","id":"","validity":"confirmed"}`, string(text[:len(text)-3])} {
		if _, err := ReadHistory([]byte(bad)); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
}

// FuzzHistory: what is read is written and read as the same.
func FuzzHistory(f *testing.F) {
	f.Add([]byte(`{"time":"2027-01-01T00:00:00Z","host":"h","id":"x","validity":"rejected","because":["a"],"report":"sha256:1"}` + "\n"))
	f.Add([]byte(`{"time":"2027-01-01T00:00:00Z"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := ReadHistory(text)
		if err != nil {
			return
		}
		b, err := Text(list)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadHistory(b)
		if err != nil || Told(again, 0) != Told(list, 0) {
			t.Errorf("%v: %s", err, b)
		}
	})
}
