package reports

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/threatmodel"
)

//go:embed page.html.tmpl
var pageText string

//go:embed page.css
var pageStyle string

// pageTemplate escapes whatever of the host is in it.
var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"short": short, "name": named}).Parse(pageText))

// named is a name of a host, which can be empty.
func named(s string) string {
	if strings.TrimSpace(s) == "" {
		return "(no name)"
	}
	return short(s)
}

// short is a text of a host as long as a page has it. Commands are never cut.
func short(s string) string { return upTo(s, maxPageText) }

// The bounds of a page: it has to be read, and a host can have thousands of everything.
const (
	maxPageRows     = 250 // findings of one cause are a row
	maxPageNames    = 12  // objects that a row names
	maxPageEvidence = 5
	maxPageTable    = 400 // rows of a table
	maxPageText     = 400 // characters of a name or a sentence
	longPage        = 250 // rows of all tables and findings together, and more is long
)

// document is what the template is given.
type document struct {
	Style      template.CSS
	Title      string
	Facts      string
	Result     string
	Passed     string
	Notes      []string
	Severities []severityCount
	Actions    []actionRow
	MoreToDo   int
	Idle       string // what stands there without actions
	Picture    template.HTML
	Sections   []findingSection
	LeftRows   int
	Zones      []string
	Exposures  []exposureRow
	Boundaries []boundaryRow
	Forwards   []tableRow
	Uses       []tableRow
	MoreUses   int
	// NoListener and NoUse say that a table has no rows, or that it need not have all.
	NoListener, NoUse string
	// Assumptions that fail come first.
	Assumptions []finding.Assumption
	Open        []tableRow
	MoreOpen    int
	Interfaces  []finding.Zone
	MoreIfaces  int
	Coverage    []finding.Coverage
	Others      []tableRow
	Confined    string
	Tool        string
	Digest      string

	anchors map[string]bool
}

type severityCount struct {
	Name string
	N    int
}

type actionRow struct{ Command, Text, Closes, Severity string }

type findingSection struct {
	Severity string
	N        int
	Rows     []findingRow
}

type findingRow struct {
	Anchor, ID, Message string
	Also                []string
	MoreAlso            int
	Evidence            []string
	MoreEvidence        int
	Witness             string
	Conditions          []string
	Steps               []string
	Commands, Words     []string
	Waiver              string
}

// tableRow is a row of a table of three columns, and what else it says.
type tableRow struct {
	Names   []string
	More    int
	Verdict string
	What    string
	Details []string
	rank    int
}

// writeHTML writes a report as one page that asks for nothing else: no script, no request. Those of several hosts are a view of all.
func writeHTML(w io.Writer, list []*finding.Report, _ Options) error {
	if len(list) > 1 {
		return writeFleetHTML(w, viewOf(list))
	}
	m := threatmodel.New(list[0])
	d := m.Draw()
	p := newDocument(m)
	anchors := p.findings(list[0])
	var svg bytes.Buffer
	if err := d.SVG(&svg, func(id string) string {
		if a := anchors[id]; a != "" {
			return "#" + a
		}
		return ""
	}); err != nil {
		return err
	}
	p.Picture = template.HTML(svg.String()) //nolint:gosec // html/template wrote it
	p.exposures(m)
	p.boundaries(m)
	p.uses(m)
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	if _, err := io.WriteString(w, escape.Text(b.String(), true)); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	return nil
}

// Long says that a browser had better lay out the page as it is looked at. Others are there at once and whole, also for who takes a picture of them.
func (p *document) Long() bool {
	rows := len(p.Exposures) + len(p.Boundaries) + len(p.Forwards) + len(p.Uses) + len(p.Open) + len(p.Others)
	for _, s := range p.Sections {
		rows += len(s.Rows)
	}
	return rows > longPage
}

// newDocument begins a page with what is of the report as a whole.
func newDocument(m *threatmodel.Model) *document {
	r := m.Report
	c := r.Count()
	p := &document{
		Style: threatmodel.Style() + template.CSS(pageStyle), //nolint:gosec // files of the program
		Title: "ringfence: " + r.Host.Name, Result: result(&c),
		Passed: fmt.Sprintf("%d passed, %d not applicable, %d unknown, %d waived or left out", c.Pass, c.NotApplicable, c.Unknown, c.Waived),
		Tool:   strings.TrimSpace(r.Tool.Name + " " + r.Tool.Version), Digest: r.Snapshot.Digest, Coverage: r.Coverage,
	}
	var facts []string
	for _, f := range []string{r.Host.OS, "kernel " + r.Host.Kernel, "seen by " + r.Host.SeenBy, r.Snapshot.CollectedAt} {
		if !strings.HasSuffix(f, " ") && f != "" {
			facts = append(facts, f)
		}
	}
	p.Facts = strings.Join(facts, " · ")
	for _, s := range finding.Severities {
		p.Severities = append(p.Severities, severityCount{s, c.Findings[s]})
	}
	for _, s := range r.Host.Confined {
		p.Notes = append(p.Notes, "This may not be the host: "+s)
	}
	if denied(r) && r.Host.SeenBy != "root" && r.Host.SeenBy != "files" && c.Unknown > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%s unknown, since %s may not see what they are about: sudo ringfence audit sees all.", counted(c.Unknown, "check is", "checks are"), r.Host.SeenBy))
	}
	if r.Confinement != nil {
		p.Confined = confined(r.Confinement, true)
	}
	if r.Inventory == nil {
		p.Notes = append(p.Notes, "This report has no inventory: it was written by an older version. Containers, agents and sockets are not drawn.")
	}
	p.actions(r)
	p.Idle = idle(&c)
	p.others(r)
	p.Assumptions = slices.SortedStableFunc(slices.Values(r.Assumptions), func(a, b finding.Assumption) int {
		return slices.Index(validities, a.Validity) - slices.Index(validities, b.Validity)
	})
	p.Interfaces = r.Zones[:min(len(r.Zones), maxPageTable/4)]
	p.MoreIfaces = len(r.Zones) - len(p.Interfaces)
	return p
}

// idle says why nothing is to be done first: that is no news where something was found, or is not known.
func idle(c *finding.Counts) string {
	switch {
	case c.Findings["critical"]+c.Findings["high"]+c.Findings["medium"] > 0:
		return "What to do stands with each finding below."
	case c.Unknown > 0:
		return fmt.Sprintf("Nothing of weight was found. %s unknown, and can hide something.", counted(c.Unknown, "check is", "checks are"))
	}
	return "Nothing of weight is to be done."
}

// counted is a number with the word for one or for more.
func counted(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

func (p *document) actions(r *finding.Report) {
	open := r.Counting()
	for i := range r.Actions {
		a := &r.Actions[i]
		if len(p.Actions) == 2*maxFirst || finding.Rank(a.Severity) >= finding.Rank("low") {
			p.MoreToDo++
			continue
		}
		by := map[string]int{}
		for _, id := range a.Closes {
			if f := open[id]; f != nil {
				by[f.Severity]++
			}
		}
		p.Actions = append(p.Actions, actionRow{Command: a.Command, Text: a.Text, Closes: found(by), Severity: a.Severity})
	}
}

// findings are the rows of each severity, and where on the page each finding is.
func (p *document) findings(r *finding.Report) map[string]string {
	anchors := map[string]string{}
	rows := 0
	for _, s := range finding.Severities {
		section := findingSection{Severity: s}
		for _, c := range causes(r, s, false) {
			section.N += len(c.list)
			if rows == maxPageRows {
				p.LeftRows++
				continue
			}
			rows++
			row := c.pageRow(r)
			row.Anchor = p.anchor(c.list[0].Fingerprint)
			for _, f := range c.list {
				anchors[f.Fingerprint] = row.Anchor
			}
			section.Rows = append(section.Rows, row)
		}
		if section.N > 0 {
			p.Sections = append(p.Sections, section)
		}
	}
	p.waived(r)
	return anchors
}

// shortID is how many characters of a fingerprint name a finding well enough.
const shortID = 12

// anchor is a place on the page that nothing else has: the beginning of a fingerprint.
func (p *document) anchor(fingerprint string) string {
	short := "f-" + fingerprint[:min(shortID, len(fingerprint))]
	a := short
	for n := 2; p.anchors[a]; n++ {
		a = fmt.Sprintf("%s-%d", short, n)
	}
	if p.anchors == nil {
		p.anchors = map[string]bool{}
	}
	p.anchors[a] = true
	return a
}

// waived adds the findings that are accepted, in a section of their own.
func (p *document) waived(r *finding.Report) {
	section := findingSection{Severity: "waived"}
	for i := range r.Results {
		for j := range r.Results[i].Findings {
			f := &r.Results[i].Findings[j]
			if !f.Waiver.Holds() {
				continue
			}
			section.N++
			if len(section.Rows) < maxPageRows {
				c := &cause{ids: []string{r.Results[i].ID}, list: []*finding.Finding{f}}
				row := c.pageRow(r)
				row.Anchor = p.anchor(f.Fingerprint)
				section.Rows = append(section.Rows, row)
			}
		}
	}
	if section.N > 0 {
		p.Sections = append(p.Sections, section)
	}
}

// pageRow is a cause with its evidence and what closes it.
func (c *cause) pageRow(r *finding.Report) findingRow {
	f := c.list[0]
	row := findingRow{ID: c.id(), Message: f.Message, Steps: f.Steps}
	if !slices.ContainsFunc(f.Evidence[:min(len(f.Evidence), maxPageEvidence)], func(e string) bool { return strings.Contains(e, f.Witness) }) {
		row.Witness = f.Witness
	}
	for _, o := range c.list[1:] {
		name := o.Resource.Key
		if name == f.Resource.Key {
			if name = "the " + o.Zone + " zone"; o.Zone == "" || o.Zone == f.Zone {
				continue
			}
		}
		if len(row.Also) == maxPageNames {
			row.MoreAlso++
		} else if !slices.Contains(row.Also, name) {
			row.Also = append(row.Also, name)
		}
	}
	for _, e := range f.Evidence {
		switch {
		case e == f.Witness:
		case len(row.Evidence) == maxPageEvidence:
			row.MoreEvidence++
		default:
			row.Evidence = append(row.Evidence, e)
		}
	}
	for _, x := range f.Conditions {
		row.Conditions = append(row.Conditions, x.String())
	}
	if f.Waiver != nil {
		row.Waiver = f.Waiver.String()
	}
	for i := range r.Actions {
		if a := &r.Actions[i]; a.Command != "" && slices.Contains(a.Closes, f.Fingerprint) && !slices.Contains(row.Commands, a.Command) {
			row.Commands = append(row.Commands, a.Command)
		}
	}
	for _, m := range f.Remediation {
		if m.Kind == "command" {
			row.Commands = append(row.Commands, strings.TrimSpace(m.Text))
		} else {
			row.Words = append(row.Words, m.Text)
		}
	}
	return row
}

// others are the questions that are open, by their reason, and the checks that found nothing.
func (p *document) others(r *finding.Report) {
	at := map[string]int{}
	for _, o := range r.Open() {
		name := o.Check
		if o.Resource != nil {
			name += ": " + o.Resource.Key
		}
		i, ok := at[o.Reason]
		if !ok {
			i = len(p.Open)
			at[o.Reason] = i
			p.Open = append(p.Open, tableRow{What: o.Reason, Verdict: finding.Unknown})
		}
		p.Open[i].name(name)
	}
	for _, e := range carried(r) {
		p.Open = append(p.Open, tableRow{What: e.message(), Names: []string{e.res.ID + ": " + e.f.Resource.Key}, Verdict: finding.Unknown})
	}
	p.MoreOpen = max(0, len(p.Open)-maxPageTable)
	p.Open = p.Open[:len(p.Open)-p.MoreOpen]
	for _, status := range []string{finding.Pass, finding.NotApplicable, finding.Waived} {
		var ids []string
		for i := range r.Results {
			if r.Results[i].Status != status {
				continue
			}
			id := r.Results[i].ID
			if len(r.Results[i].Under) > 0 {
				id += " (" + r.Results[i].Reason + ")"
			}
			ids = append(ids, id)
		}
		if len(ids) > 0 {
			p.Others = append(p.Others, tableRow{Names: ids, Verdict: strings.ReplaceAll(status, "_", " ")})
		}
	}
}

// name adds what a row is about, up to a bound.
func (t *tableRow) name(s string) {
	switch {
	case slices.Contains(t.Names, s):
	case len(t.Names) == maxPageNames:
		t.More++
	default:
		t.Names = append(t.Names, s)
	}
}
