package reports

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
)

// large is a host with 500 containers on 5 networks and 300 listeners of its own.
func large() *finding.Report {
	r := worst()
	r.Host.Name = "large"
	r.Inventory = &finding.Inventory{Parts: []finding.Part{{Key: "daemon docker", Kind: finding.PartDaemon, Name: "docker", Zone: "runtime"}}}
	answers := []string{"reachable", "unreachable", "unknown"}
	r.Zones = []finding.Zone{{Name: "ext0", Zone: "external"}, {Name: "mgmt0", Zone: "management"}}
	expose := func(s finding.Service, class, part string, n int) {
		r.Inventory.Listeners = append(r.Inventory.Listeners, finding.Listener{Key: s.Key(), Class: class, Part: part, Name: s.Owner})
		for z, zone := range []string{"external", "management", "workload"} {
			for _, family := range []string{"ipv4", "ipv6"} {
				e := finding.Exposure{Service: s, Zone: zone, Origin: zone[:3] + "0", Family: family, Verdict: answers[(n+z)%3], Checked: true}
				switch e.Verdict {
				case "reachable":
					e.Witness = fmt.Sprintf("in %s0 tcp 203.0.113.2:40000 > 203.0.113.1:%d syn", zone[:3], s.Port)
				case "unreachable":
					e.StoppedBy = []finding.Cause{{Where: "inet filter/input#12", Text: "ct state new drop"}}
				default:
					e.Because = []finding.Cause{{Text: "a set was not read"}}
				}
				r.Exposures = append(r.Exposures, e)
			}
		}
	}
	for i := range 300 {
		s := finding.Service{Proto: "tcp", Address: "0.0.0.0", Port: 2000 + i, Owner: fmt.Sprintf("program-%d", i/6), Namespace: "host"}
		expose(s, []string{"other", "managed", "agent"}[i%3], "", i)
	}
	none := &finding.Result{ID: "capability/no-new-privs-off", Status: finding.Fail, Severity: "medium", Title: "t"}
	mounted := &finding.Result{ID: "runtime/sensitive-mount", Status: finding.Fail, Severity: "high", Title: "t"}
	for i := range 500 {
		name := fmt.Sprintf("container service-%d-replica-%d", i%20, i)
		bridge := fmt.Sprintf("br-%012d", i%5)
		r.Inventory.Parts = append(r.Inventory.Parts, finding.Part{
			Key: name, Kind: finding.PartContainer, Name: name, Zone: "workload", Networks: []string{bridge}, Detail: "registry.example/service:1.2.3",
		})
		for _, goal := range []string{"root", "filter", "secret"} {
			u := finding.Use{From: name, Kind: finding.UsePower, Goal: goal, Verdict: "no"}
			if i%50 == 0 {
				u.Verdict, u.Steps, u.WithRoot = "yes", []string{"/run/docker.sock is in " + name, "who writes it is root"}, goal != "root"
			}
			r.Inventory.Uses = append(r.Inventory.Uses, u)
		}
		expose(finding.Service{Proto: "tcp", Address: "0.0.0.0", Port: 8080, Owner: "node", Namespace: name}, "other", name, i)
		volume := fmt.Sprintf("/srv/volumes/service-%d/data", i)
		r.Inventory.Parts = append(r.Inventory.Parts, finding.Part{Key: "store " + volume, Kind: finding.PartStore, Name: volume, Zone: "host"})
		r.Inventory.Uses = append(r.Inventory.Uses, finding.Use{From: name, Kind: finding.UseMount, To: "store " + volume, Object: "/data", Write: true, Verdict: "yes"})
		for _, res := range []*finding.Result{none, mounted} {
			what := finding.Resource{Kind: "workload", Key: name}
			res.Findings = append(res.Findings, finding.Finding{
				Resource: what, Message: name + " has what it need not have", Severity: res.Severity, Fingerprint: finding.Fingerprint(res.ID, what),
				Evidence: []string{"of " + name}, Remediation: []finding.Remediation{{Kind: "words", Text: "change " + name}},
			})
		}
	}
	for i := range 5 {
		bridge := fmt.Sprintf("br-%012d", i)
		r.Zones = append(r.Zones, finding.Zone{Name: bridge, Zone: "workload", Reason: "name of a container or machine network"})
		r.Forwards = append(r.Forwards, finding.Forward{From: bridge, FromZone: "workload", To: "ext0", ToZone: "external", Family: "ipv4", Verdict: "reachable", Witness: "w"})
	}
	r.Results = append(r.Results, *none, *mounted)
	return r
}

// hostileHost is a host on which containers, programs, interfaces and assumptions have names that are code somewhere.
func hostileHost() *finding.Report {
	r := hostileReport()
	r.Inventory = new(finding.Inventory)
	for i, h := range append([]string{`"];n1-->n2;["`, `</svg><script>alert(1)</script>`, strings.Repeat("x", 4<<10), "end", `\"\N\G`, `</style>`}, hostile...) {
		s := finding.Service{Proto: "tcp", Address: h, Port: 1000 + i, Owner: h, Namespace: "host"}
		key := "container " + h
		r.Zones = append(r.Zones, finding.Zone{Name: h, Zone: "workload", Reason: h})
		r.Exposures = append(r.Exposures, finding.Exposure{Service: s, Zone: "external", Origin: h, Family: h, Verdict: "reachable", Witness: h})
		r.Forwards = append(r.Forwards, finding.Forward{From: h, FromZone: h, To: h, ToZone: "workload", Verdict: "reachable", Witness: h})
		r.Inventory.Parts = append(r.Inventory.Parts, finding.Part{Key: key, Kind: finding.PartContainer, Name: h, Zone: "workload", Detail: h, Networks: []string{h}, Auth: []string{h}})
		r.Inventory.Listeners = append(r.Inventory.Listeners, finding.Listener{Key: s.Key(), Class: "ssh", Name: h})
		r.Inventory.Uses = append(r.Inventory.Uses, finding.Use{From: key, Kind: finding.UsePower, Goal: "root", Verdict: "unknown", Because: []string{h}})
		r.Assumptions = append(r.Assumptions, finding.Assumption{
			ID: h, Statement: h, Topics: []string{h}, Owner: h, Review: h, Validity: "rejected", Because: []string{h}, Claims: []finding.Claim{{Says: h, Validity: h}},
		})
	}
	return r
}

// TestPageOf500Containers: the page of a large host is small, has each listener, and is written at once. Its file is with the artifacts of
// the test, to be looked at.
func TestPageOf500Containers(t *testing.T) {
	r := large()
	begin := time.Now()
	out := write(t, "html", r, Options{})
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("%s", took)
	}
	if len(out) > 400_000 {
		t.Errorf("%d bytes", len(out))
	}
	for i := range r.Inventory.Listeners {
		if key := strings.ReplaceAll(r.Inventory.Listeners[i].Key, "+", "&#43;"); !bytes.Contains(out, []byte(key)) {
			t.Fatalf("no %s", key)
		}
	}
	if err := os.WriteFile(filepath.Join(t.ArtifactDir(), "page.html"), out, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes in %s", len(out), time.Since(begin))
}

// TestPageLaysOutWhatIsLookedAt: a browser lays out the tables of a large host when they come into sight, and all of them for paper. Those of a
// usual host it lays out at once: pictures of the whole page were empty below the first screen.
func TestPageLaysOutWhatIsLookedAt(t *testing.T) {
	out := write(t, "html", large(), Options{})
	for _, want := range []string{".long section{content-visibility:auto;", "@media print{.long section{content-visibility:visible}", `<main id="main" class="long">`} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("no %s", want)
		}
	}
	if rest := regexp.MustCompile(`(?s)<section.*?</section>`).ReplaceAll(out, nil); bytes.Contains(rest, []byte("<table")) {
		t.Error("a table is in no section")
	}
	if usual := write(t, "html", hostileHost(), Options{}); !bytes.Contains(usual, []byte(`<main id="main">`)) || bytes.Contains(usual, []byte("\nsection{content-visibility")) {
		t.Error("a usual page is laid out in parts")
	}
}

// TestPageWithoutActions: that nothing is to be done is said only where nothing was found and nothing is unknown.
func TestPageWithoutActions(t *testing.T) {
	const nothing = "Nothing of weight is to be done."
	for want, results := range map[string][]finding.Result{
		nothing:                       {{ID: "a/a", Status: finding.Pass}},
		"1 check is unknown, and can": {{ID: "a/a", Status: finding.Pass}, {ID: "a/b", Status: finding.Unknown}},
		"What to do stands with each": {{ID: "a/a", Status: finding.Fail, Severity: "high", Findings: []finding.Finding{{Message: "m", Severity: "high"}}}},
	} {
		out := string(write(t, "html", &finding.Report{Results: results}, Options{}))
		if !strings.Contains(out, want) || want != nothing && strings.Contains(out, nothing) {
			t.Errorf("no %q", want)
		}
	}
}

// asks are the attributes by which a page asks for something elsewhere.
var asks = regexp.MustCompile(`(?i)<(script|iframe|img|link|object|embed|form|base)\b|\b(src|srcset|action|on[a-z]+)\s*=|url\((?:[^#]|$)|href="[^#]|@import`)

// TestPageAsksForNothing: no script, no request and no character that acts, whatever a host calls things; and it is closed as it was opened.
func TestPageAsksForNothing(t *testing.T) {
	for name, r := range map[string]*finding.Report{"hostile": hostileHost(), "worst": worst(), "large": large(), "empty": {}} {
		out := string(write(t, "html", r, Options{}))
		tags := regexp.MustCompile(`>[^<>]*<`).ReplaceAllString(out, "><") // attributes and tags alone
		if found := asks.FindString(tags); found != "" {
			t.Errorf("%s: %s", name, found)
		}
		for _, c := range out {
			if c != '\n' && (!unicode.IsGraphic(c) || escape.Turns(c)) {
				t.Errorf("%s: %U", name, c)
				break
			}
		}
		if !strings.Contains(out, `content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"`) {
			t.Errorf("%s: no policy", name)
		}
		d := xml.NewDecoder(strings.NewReader(out))
		d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				break
			}
		}
	}
}

// TestPageLinks: what is linked is there, and no place is there twice.
func TestPageLinks(t *testing.T) {
	for name, r := range map[string]*finding.Report{"worst": worst(), "large": large()} {
		out := string(write(t, "html", r, Options{}))
		ids := map[string]bool{}
		for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(out, -1) {
			if ids[m[1]] {
				t.Errorf("%s: %s is there twice", name, m[1])
			}
			ids[m[1]] = true
		}
		links := regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(out, -1)
		for _, m := range links {
			if !ids[m[1]] {
				t.Errorf("%s: nothing at %s", name, m[1])
			}
		}
		if len(links) < 9 {
			t.Errorf("%s: %d links", name, len(links))
		}
	}
}

// TestModelsForTheirReaders writes pages, pictures and models, to the directory of RINGFENCE_MODELS if it is set: make models lets other programs read them.
func TestModelsForTheirReaders(t *testing.T) {
	dir := cmp.Or(os.Getenv("RINGFENCE_MODELS"), t.TempDir())
	for name, r := range map[string]*finding.Report{"hostile": hostileHost(), "worst": worst(), "large": large(), "empty": {}} {
		for _, format := range []string{"html", "svg", "mermaid", "dot", "tmbom", "otm"} {
			if err := os.WriteFile(filepath.Join(dir, name+"."+format), write(t, format, r, Options{}), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestEmptyTablesOfThePage: a table without rows says that there is nothing only if all was seen.
func TestEmptyTablesOfThePage(t *testing.T) {
	r := &finding.Report{Host: finding.Host{Name: "h"}, Inventory: &finding.Inventory{}}
	for _, name := range []string{"agents", "listeners", "network", "powers", "processes", "runtimes"} {
		r.Coverage = append(r.Coverage, finding.Coverage{Collector: name, Status: "ok"})
	}
	const nobody, none = "Nobody besides root was seen", "No listener was seen."
	if page := string(write(t, "html", r, Options{})); !strings.Contains(page, nobody) || !strings.Contains(page, none) {
		t.Error("all was seen, and it does not say so")
	}
	r.Coverage[1].Status, r.Coverage[3].Status = "partial", "denied"
	page := string(write(t, "html", r, Options{}))
	for _, want := range []string{"There can be more: listeners was not seen whole (partial).", "There can be more: powers was not seen whole (denied)."} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
	r.Coverage = nil
	if page := string(write(t, "html", r, Options{})); strings.Contains(page, nobody) || strings.Contains(page, none) {
		t.Error("nothing was seen, and there is nothing")
	}
}
