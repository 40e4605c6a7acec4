package assume

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/finding"
)

var known = &Known{
	Checks: []string{"host/audit-off", "ssh/a", "ssh/b", "own/rests"}, Facts: []string{"f.yes", "f.no", "f.open"}, Rules: []string{"data.ringfence.assumption.own"},
	Assumes: map[string][]string{"own/rests": {"base"}},
}

// world answers by names: what ends in yes or a is confirmed, in no or b rejected.
type world struct{}

func (world) Ask(c *Claim) finding.Ground {
	name := c.Fact
	if len(c.Check) > 0 {
		name = c.Check[0]
	}
	p := finding.Ground{Kind: "fact", What: name, Validity: finding.Unconfirmed, Because: "not seen"}
	switch {
	case strings.HasSuffix(name, "yes"), strings.HasSuffix(name, "a"), name == "own/rests":
		p.Validity, p.Because, p.Evidence = finding.Confirmed, "", []string{"seen"}
	case strings.HasSuffix(name, "no"), strings.HasSuffix(name, "b"):
		p.Validity, p.Because, p.Evidence, p.Witness = finding.Rejected, "", []string{"refuted"}, "a packet"
	}
	return p
}

var today = time.Date(2027, 1, 15, 12, 0, 0, 0, time.UTC)

func one(holds string, more ...string) string {
	return "version: 1\n" + strings.Join(more, "") + "assumptions:\n- id: x\n  statement: It is so.\n  holds: " + holds + "\n"
}

// TestLogic: what claims say together, of three answers each.
func TestLogic(t *testing.T) {
	y, n, u := "{fact: f.yes}", "{fact: f.no}", "{fact: f.open}"
	for holds, want := range map[string]string{
		y: "confirmed", n: "rejected", u: "unconfirmed",
		"{all: [" + y + "," + y + "]}": "confirmed", "{all: [" + y + "," + u + "]}": "unconfirmed", "{all: [" + u + "," + n + "]}": "rejected",
		"{any: [" + n + "," + y + "]}": "confirmed", "{any: [" + n + "," + u + "]}": "unconfirmed", "{any: [" + n + "," + n + "]}": "rejected",
		"{any: [" + u + "," + y + "]}": "confirmed", "{not: " + y + "}": "rejected", "{not: " + n + "}": "confirmed", "{not: " + u + "}": "unconfirmed",
		"{not: {any: [" + u + "," + n + "]}}": "unconfirmed", "{all: [{any: [" + n + "," + y + "]}, {not: " + n + "}]}": "confirmed",
		"{check: [ssh/a]}": "confirmed", "{check: [ssh/a, ssh/b]}": "rejected", "{check: [ssh/a, host/audit-off]}": "unconfirmed",
	} {
		r, err := Parse("f", []byte(one(holds)), known)
		if err != nil {
			t.Fatalf("%s: %v", holds, err)
		}
		a := r.Hold(world{}, today, today)[0]
		if a.Validity != want || want != finding.Confirmed && len(a.Because) == 0 || want == finding.Unconfirmed && a.Open != finding.Unseen {
			t.Errorf("%s: %s %q, want %s", holds, a.Validity, a.Because, want)
		}
	}
}

// TestLate: a review that is due, and a snapshot that is too old, take a confirmation back, and no refutation.
func TestLate(t *testing.T) {
	for _, c := range []struct {
		holds, review, maxAge string
		seen                  time.Time
		want, open            string
	}{
		{"{fact: f.yes}", "2027-01-15", "", today, "confirmed", ""},
		{"{fact: f.yes}", "2027-01-14", "", today, "unconfirmed", "overdue"},
		{"{fact: f.no}", "2027-01-14", "", today, "rejected", ""},
		{"{fact: f.open}", "2027-01-14", "", today, "unconfirmed", "unseen"},
		{"{fact: f.yes}", "", "24h", today.Add(-25 * time.Hour), "unconfirmed", "stale"},
		{"{fact: f.yes}", "", "7d", today.Add(-25 * time.Hour), "confirmed", ""},
		{"{fact: f.yes}", "", "7d", today.Add(2 * time.Hour), "unconfirmed", "stale"},
		{"{fact: f.yes}", "", "7d", time.Time{}, "unconfirmed", "stale"},
		{"{fact: f.yes}", "", "", time.Time{}, "confirmed", ""},
	} {
		more := ""
		if c.maxAge != "" {
			more = "max_age: " + c.maxAge + "\n"
		}
		text := one(c.holds, more)
		if c.review != "" {
			text += "  review: " + c.review + "\n"
		}
		r, err := Parse("f", []byte(text), known)
		if err != nil {
			t.Fatal(err)
		}
		a := r.Hold(world{}, c.seen, today)[0]
		if a.Validity != c.want || a.Open != c.open || c.want == finding.Confirmed != (len(a.Because) == 0) {
			t.Errorf("%+v: %s %s %q", c, a.Validity, a.Open, a.Because)
		}
		if c.open == finding.Overdue && len(a.Claims[0].Grounds[0].Evidence) == 0 {
			t.Errorf("%+v: the evidence is gone", c)
		}
	}
}

const resting = `version: 1
assumptions:
- id: leans
  statement: It leans.
  holds: {check: [own/rests]}
- id: base
  statement: It stands.
  holds: {fact: %s}
`

// TestRests: a check that passes under an assumption holds nothing if that does not hold, and does not pass then.
func TestRests(t *testing.T) {
	for fact, want := range map[string]string{"f.yes": finding.Confirmed, "f.no": finding.Unconfirmed, "f.open": finding.Unconfirmed} {
		r, err := Parse("f", fmt.Appendf(nil, resting, fact), known)
		if err != nil {
			t.Fatal(err)
		}
		report := &finding.Report{Results: []finding.Result{{ID: "own/rests", Status: finding.Pass}, {ID: "ssh/a", Status: finding.Pass}}}
		report.Assumptions = r.Hold(world{}, today, today)
		if got := report.Assumptions[0].Validity; got != want {
			t.Errorf("%s: %s, want %s", fact, got, want)
		}
		report.Hold(r.Rests())
		res := report.Results[0]
		if (res.Status == finding.Pass) != (want == finding.Confirmed) || !strings.Contains(res.Reason, "base") || len(res.Under) != 1 || report.Results[1].Status != finding.Pass {
			t.Errorf("%s: %+v", fact, res)
		}
		if c := report.Count(); c.Pass+c.Unknown != 2 || (c.Pass == 2) != (want == finding.Confirmed) {
			t.Errorf("%s: %+v", fact, c)
		}
	}
	report := &finding.Report{Results: []finding.Result{{ID: "own/rests", Status: finding.Pass}}}
	report.Hold(map[string][]string{"own/rests": {"nowhere"}})
	if report.Results[0].Status != finding.Unknown {
		t.Error("a check passes under an assumption that is in no register")
	}
}

// TestResults: one that is rejected is a finding with its witness, and so is each threat that comes back.
func TestResults(t *testing.T) {
	r, err := Parse("f", []byte(one("{fact: f.no}")+"  if_false: [t-one, t-two]\n  severity: high\n  owner: us@example.org\n"), known)
	if err != nil {
		t.Fatal(err)
	}
	res := Results(r.Hold(world{}, today, today))[0]
	var got []string
	for _, f := range res.Findings {
		got = append(got, f.Resource.Kind+" "+f.Resource.Key+" "+f.Severity+" "+f.Witness+" "+f.Evidence[0])
	}
	if d := cmp.Diff([]string{
		"assumption x high a packet f.no: refuted", "threat t-one high a packet f.no: refuted", "threat t-two high a packet f.no: refuted",
	}, got); d != "" || res.Status != finding.Fail || res.ID != "assumption/x" || res.Findings[0].Fingerprint == res.Findings[1].Fingerprint {
		t.Errorf("%s %+v", d, res)
	}
	if res.Findings[0].Message != "it does not hold that it is so" {
		t.Error(res.Findings[0].Message)
	}
}

// TestParse: what is mistyped, doubled or circular is an error with its place, and nothing is held then.
func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		one("{fact: f.yse}"):                 `holds: no fact "f.yse": did you mean f.yes?`,
		one("{check: [ssh/c]}"):              `no check "ssh/c"`,
		one("{check: []}"):                   `check: none is named`,
		one("{all: []}"):                     `all or any of nothing`,
		one("{}"):                            `a claim wants one of`,
		one("{fact: f.yes, check: [ssh/a]}"): `not "check, fact"`,
		one("{rego: data.other}"):            `no rule "data.other"`,
		one("{reach: {from: 'zone:mars', to: host, answer: reachable}}"):                                                              `from "zone:mars"`,
		one("{reach: {from: 'zone:workload', to: 'port:0/tcp', answer: reachable}}"):                                                  `to "port:0/tcp"`,
		one("{reach: {from: 'zone:workload', to: 'port:99999/tcp', answer: reachable}}"):                                              `to "port:99999/tcp"`,
		one("{reach: {from: 'zone:workload', to: 'addr:x', answer: reachable}}"):                                                      `want addr:IP`,
		one("{reach: {from: 'zone:workload', to: host, answer: maybe}}"):                                                              `answer "maybe"`,
		one("{reach: {from: 'zone:workload', to: host, except: [53/udp], answer: reachable}}"):                                        `except goes with`,
		one("{reach: {from: host, to: services, answer: reachable}}"):                                                                 `want zone:NAME`,
		one("{reach: {from: 'iface:', to: host, answer: reachable}}"):                                                                 `from "iface:"`,
		one("{path: {from: any, to: root, answer: none}}"):                                                                            `want root@host`,
		one("{path: {from: 'kind:robot', to: root@host, answer: none}}"):                                                              `from "kind:robot"`,
		one("{path: {to: root@host, answer: none}}"):                                                                                  `no from`,
		one("{fact: f.yes}") + "  review: tomorrow\n":                                                                                 `review "tomorrow"`,
		one("{fact: f.yes}") + "  severity: huge\n":                                                                                   `severity "huge"`,
		one("{fact: f.yes}") + "  supports: [ssh/x]\n":                                                                                `supports: no check`,
		one("{fact: f.yes}") + "- id: x\n  statement: Y.\n  holds: {fact: f.no}\n":                                                    `x is there twice`,
		one("{fact: f.yes}") + "- id: X y\n  statement: Y.\n  holds: {fact: f.no}\n":                                                  `id "X y"`,
		one("{check: [ssh/a]}") + "  supports: [ssh/a]\n":                                                                             `a circle`,
		fmt.Sprintf(resting, "f.yes") + "  supports: [ssh/a]\n- id: z\n  statement: Z.\n  supports: [ssh/b]\n  holds: {fact: f.no}\n": "",
		"version: 2\nassumptions: []\n":                                                                                               `want version: 1`,
		"version: 1\nassumption: []\n":                                                                                                `unknown key "assumption"`,
		"version: 1\nmax_age: soon\n":                                                                                                 `max_age "soon"`,
		"version: 1\nmax_age: -1h\n":                                                                                                  `max_age "-1h"`,
		one(strings.Repeat("{not: ", 12) + "{fact: f.no}" + strings.Repeat("}", 12)):                                                  `in one another`,
	} {
		_, err := Parse("f", []byte(text), known)
		if want == "" && err != nil || want != "" && (err == nil || !errors.Is(err, ErrRegister) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestCircleOfTwo: each of two assumptions is held by a check that passes under the other one.
func TestCircleOfTwo(t *testing.T) {
	text := "version: 1\nassumptions:\n- {id: p, statement: P., supports: [ssh/a], holds: {check: [ssh/b]}}\n- {id: q, statement: Q., supports: [ssh/b], holds: {not: {check: [ssh/a]}}}\n"
	if _, err := Parse("f", []byte(text), known); err == nil || !strings.Contains(err.Error(), "a circle") {
		t.Error(err)
	}
}

// TestLarge: files that are made to cost something end in an error, in little time.
func TestLarge(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("version: 1\na: &a [x,x,x,x,x,x,x,x,x]\n")
	for c := 'b'; c < 'k'; c++ {
		fmt.Fprintf(&bomb, "%c: &%c [%s*%c]\n", c, c, strings.Repeat(fmt.Sprintf("*%c,", c-1), 8), c-1)
	}
	aliases := "version: 1\nassumptions:\n- &x {id: x, statement: X., topics: &t [" + strings.Repeat("a,", 5000) + "a], holds: &h {all: [" + strings.Repeat("{fact: f.yes},", 4000) + "{fact: f.yes}]}}\n" +
		strings.Repeat("- *x\n", 400)
	var many strings.Builder
	many.WriteString("version: 1\nassumptions:\n")
	for i := range 10_000 {
		fmt.Fprintf(&many, "- {id: a%d, statement: A., holds: {fact: f.yes}}\n", i)
	}
	escaped := strings.ReplaceAll(many.String(), "statement", `"stat\u0065ment"`)
	for name, text := range map[string]string{"bomb": bomb.String(), "aliases": aliases, "many": many.String(), "escaped": escaped, "deep": "version: 1\nassumptions: " + strings.Repeat("[", 100_000), "long": strings.Repeat("#", MaxSize+1)} {
		start := time.Now()
		_, err := Parse("f", []byte(text), known)
		if d := time.Since(start); err == nil || d > 30*time.Second {
			t.Errorf("%s: %v after %s", name, err, d)
		}
	}
}

// FuzzParse: no text makes a register that has what cannot be asked, or panics.
func FuzzParse(f *testing.F) {
	f.Add([]byte(one("{all: [{fact: f.yes}, {any: [{check: [ssh/a]}]}, {not: {path: {from: any, to: root@host, answer: none}}}]}")))
	f.Add([]byte(one("{reach: {from: 'zone:workload', to: services, except: [53/udp], answer: unreachable}}", "max_age: 7d\n")))
	f.Add(shipped)
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Parse("f", text, known)
		if err != nil {
			return
		}
		for _, a := range r.Hold(world{}, today, today) {
			if a.Validity == finding.Confirmed == (len(a.Because) > 0) || len(a.Claims) == 0 {
				t.Errorf("%+v", a)
			}
		}
	})
}
