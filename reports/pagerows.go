package reports

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/ringfence/ringfence/finding"
)

// cause is findings that one row tells: of one check about several objects in the same way, or of checks of one family about one object.
type cause struct {
	ids  []string
	list []*finding.Finding
}

// causes are the rows of a severity, each finding apart or those of one cause together.
func causes(r *finding.Report, severity string, apart bool) []*cause {
	var out []*cause
	by := map[string]*cause{}
	for i := range r.Results {
		res := &r.Results[i]
		if res.Status != finding.Fail {
			continue
		}
		for j := range res.Findings {
			f := &res.Findings[j]
			if f.Severity != severity || f.Waiver.Holds() {
				continue
			}
			key := f.Cause(res.ID)
			if len(f.Remediation) > 0 && f.Remediation[0].Deny != nil {
				area, name, _ := strings.Cut(res.ID, "/")
				family, _, _ := strings.Cut(name, "-")
				key = strings.Join([]string{area, family, f.Resource.Kind, f.Resource.Key}, "\x00")
			}
			c := by[key]
			if c == nil || apart {
				c = new(cause)
				by[key] = c
				out = append(out, c)
			}
			if !slices.Contains(c.ids, res.ID) {
				c.ids = append(c.ids, res.ID)
			}
			c.list = append(c.list, f)
		}
	}
	return out
}

// id names the checks of a row.
func (c *cause) id() string {
	if len(c.ids) == 1 {
		return c.ids[0]
	}
	same := c.ids[0]
	for _, id := range c.ids[1:] {
		for !strings.HasPrefix(id, same) {
			same = same[:len(same)-1]
		}
	}
	return same + "*"
}

// title is the consequence, and what else it is true of.
func (c *cause) title() string {
	s := Clean(c.list[0].Message, false)
	var more []string
	for _, f := range c.list[1:] {
		if f.Resource.Key == c.list[0].Resource.Key {
			if f.Zone != "" && f.Zone != c.list[0].Zone {
				more = append(more, "from the "+Clean(f.Zone, false)+" zone")
			}
			continue
		}
		more = append(more, Clean(f.Resource.Key, false))
	}
	if len(more) > 0 {
		s += "; also " + strings.Join(more, ", ")
	}
	return s
}

// section writes the rows of a severity. Those of little weight are counted, but for who asks for them.
func (p *page) section(r *finding.Report, severity string) {
	if p.o.Severity != "" && finding.Rank(severity) > finding.Rank(p.o.Severity) {
		return
	}
	rows := causes(r, severity, p.o.Verbose)
	n := 0
	ids := []string{}
	for _, c := range rows {
		n += len(c.list)
		ids = append(ids, c.ids...)
	}
	if n == 0 {
		return
	}
	p.line("")
	if finding.Rank(severity) >= finding.Rank("low") && !p.o.Verbose && p.o.Severity == "" {
		slices.Sort(ids)
		ids = slices.Compact(ids)
		p.wrapped("", fmt.Sprintf("%s  %s in %s (-v shows them)", strings.ToUpper(severity), count(n, "finding"), count(len(ids), "check")), colors[severity])
		return
	}
	p.line(p.paint(colors[severity], fmt.Sprintf("%s  %d", strings.ToUpper(severity), n)))
	for _, c := range rows {
		p.row(r, c)
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// maxEvidence is how many lines of evidence a row has.
const maxEvidence = 2

func (p *page) row(r *finding.Report, c *cause) {
	p.ends(" ", c.title(), "", c.id(), dim)
	p.evidence(c)
	f := c.list[0]
	if f.Waiver != nil {
		p.wrapped("   ", Clean(f.Waiver.String(), false), colors["medium"])
	}
	for _, x := range f.Conditions {
		p.wrapped("   ", "if "+Clean(x.String(), false), "")
	}
	if len(f.Steps) > 0 {
		p.wrapped("   ", "path: "+Clean(strings.Join(f.Steps, " -> "), false), "")
	}
	told := map[string]bool{}
	for _, f := range c.list {
		if len(told) == maxCommands && !p.o.Verbose {
			p.wrapped("   ", "and those of the others (-v)", dim)
			break
		}
		p.remedy(r, f, told)
	}
}

// maxCommands is how many commands a row has.
const maxCommands = 5

// evidence writes how a row is known, in few lines unless it is asked for.
func (p *page) evidence(c *cause) {
	if p.o.Verbose {
		for _, e := range c.list[0].Evidence {
			p.wrapped("   ", Clean(e, false), dim)
		}
		return
	}
	f, left := c.list[0], maxEvidence
	for i, e := range f.Evidence {
		if left == 0 {
			more := fmt.Sprintf("and %d more (-v, or ringfence explain %s)", len(f.Evidence)-i, f.Fingerprint[:min(shortID, len(f.Fingerprint))])
			p.wrapped("   ", Clean(more, false), dim)
			return
		}
		lines := wrap(Clean(e, false), p.o.Width-3)
		if len(lines) > left {
			lines = wrap(Clean(e, false), p.o.Width-5)[:left]
			lines[left-1] += " …"
		}
		for _, l := range lines {
			p.line("   " + p.paint(dim, l))
		}
		left -= len(lines)
	}
}

// shortID is how many characters of a fingerprint name a finding well enough.
const shortID = 12

// remedy writes the command that closes a finding, or what to change.
// What was told of the row before is left out, and so is what to do by hand with others than the first object.
func (p *page) remedy(r *finding.Report, f *finding.Finding, told map[string]bool) {
	i := slices.IndexFunc(r.Actions, func(a finding.Action) bool { return a.Command != "" && slices.Contains(a.Closes, f.Fingerprint) })
	if i >= 0 {
		if !told[r.Actions[i].Command] {
			told[r.Actions[i].Command] = true
			p.whole("   ", Clean(r.Actions[i].Command, false))
		}
		return
	}
	if len(f.Remediation) == 0 || told[f.Remediation[0].Text] || len(told) > 0 && f.Remediation[0].Kind != "command" {
		return
	}
	told[f.Remediation[0].Text] = true
	for l := range strings.SplitSeq(strings.TrimSpace(f.Remediation[0].Text), "\n") {
		if f.Remediation[0].Kind == "command" {
			p.whole("   ", Clean(l, false))
		} else {
			p.wrapped("   ", "-> "+Clean(l, false), "")
		}
	}
}

// unknown writes what could not be decided, the checks of one reason together.
func (p *page) unknown(r *finding.Report) {
	by, order, n, accepted, failed := map[string][]string{}, []string{}, 0, 0, 0
	for i := range r.Results {
		e := entry{r: r, res: &r.Results[i], open: leavesOpen(&r.Results[i])}
		if e.status() != finding.Unknown {
			continue
		}
		name, why := e.res.ID, e.message()
		switch {
		case e.res.Status == finding.Fail:
			failed++
		case e.res.Waiver.Holds():
			name += " (accepted)"
			accepted++
			n++
		default:
			n++
		}
		if by[why] == nil {
			order = append(order, why)
		}
		by[why] = append(by[why], name)
	}
	if n+failed == 0 {
		return
	}
	p.line("")
	title := fmt.Sprintf("UNKNOWN  %d, which neither passed nor failed", n)
	if accepted > 0 {
		title += fmt.Sprintf("; %d accepted so", accepted)
	}
	if failed > 0 {
		title += fmt.Sprintf("; %d failed, and did not see or decide all", failed)
	}
	p.wrapped("", title, colors["medium"])
	for _, why := range order {
		p.wrapped(" ", Clean(why, false), "")
		p.wrapped("   ", Clean(strings.Join(by[why], ", "), false), dim)
	}
}

// waived counts the findings that are accepted.
func (p *page) waived(r *finding.Report) {
	n := 0
	for i := range r.Results {
		for j := range r.Results[i].Findings {
			f := &r.Results[i].Findings[j]
			if !f.Waiver.Holds() {
				continue
			}
			if n++; n == 1 {
				p.line("")
				p.line(p.paint(bold, "WAIVED"))
			}
			p.ends(" ", Clean(f.Message, false), "", r.Results[i].ID, dim)
			p.wrapped("   ", Clean(f.Waiver.String(), false), dim)
		}
	}
}

// others lists what passed, what is not applicable and what is left out.
func (p *page) others(r *finding.Report) {
	if !p.o.All {
		return
	}
	var rows [][2]string
	for i := range r.Results {
		res := &r.Results[i]
		if res.Status == finding.Fail || res.Status == finding.Unknown {
			continue
		}
		text := strings.TrimSuffix(strings.ReplaceAll(res.Status, "_", " ")+": "+Clean(res.Reason, false), ": ")
		rows = append(rows, [2]string{res.ID, text})
	}
	if len(rows) == 0 {
		return
	}
	p.line("")
	p.line(p.paint(bold, "PASSED OR NOT APPLICABLE") + fmt.Sprintf("  %d", len(rows)))
	if p.err == nil {
		p.err = p.columns(rows)
	}
}

// columns lays two columns out without borders. The cells are wrapped here, because the library's own wrapping either cuts long words
// without a mark or marks every break inside them.
func (p *page) columns(rows [][2]string) error {
	first := 0
	for _, r := range rows {
		first = max(first, len(r[0]))
	}
	first = min(first, p.o.Width/2)
	var b bytes.Buffer
	table := tablewriter.NewTable(
		&b,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{Borders: tw.BorderNone, Symbols: tw.NewSymbols(tw.StyleNone), Settings: tw.Settings{
			Separators: tw.SeparatorsNone, Lines: tw.LinesNone,
		}})),
		tablewriter.WithRowAlignment(tw.AlignLeft),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithTrimSpace(tw.Off),
	)
	for _, r := range rows {
		if err := table.Append(strings.Join(wrap(r[0], first), "\n"), strings.Join(wrap(r[1], p.o.Width-first-4), "\n")); err != nil {
			return err
		}
	}
	if err := table.Render(); err != nil {
		return err
	}
	for l := range strings.Lines(b.String()) {
		p.line(strings.TrimRight(l, "\n"))
	}
	return nil
}
