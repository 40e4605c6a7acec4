package reports

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/clipperhouse/displaywidth"
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
	by, numbers := map[string]*cause{}, numbered(r)
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
			if listed(numbers, f.Fingerprint) >= 0 { // what to change is in the list of what to do: the row tells what is so
				key = res.ID
			}
			if len(f.Remediation) > 0 && f.Remediation[0].Deny != nil {
				area, name, _ := strings.Cut(res.ID, "/")
				family, _, _ := strings.Cut(name, "-")
				key = strings.Join([]string{area, family, f.Resource.Kind, f.Resource.Key}, "\x00")
				if f.Resource.Kind != "service" { // what passes through the host, or comes in anywhere
					key = strings.Join([]string{res.ID, f.Resource.Kind}, "\x00")
				}
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

// alike is what a finding says without the words that name its object, and without its zone.
func alike(f *finding.Finding) string {
	return strings.ReplaceAll(f.WithoutObject(f.Message), "the "+f.Zone+" zone", "")
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

// maxAlso is how many objects beside the first a row names.
const maxAlso = 12

// title is the consequence, and what else it is true of: what is said in the same way of several objects is said once.
func (c *cause) title() string {
	var same [][]*finding.Finding
	for _, f := range c.list {
		i := slices.IndexFunc(same, func(g []*finding.Finding) bool { return f.Resource.Key == g[0].Resource.Key || alike(f) == alike(g[0]) })
		if i < 0 {
			same = append(same, []*finding.Finding{f})
		} else {
			same[i] = append(same[i], f)
		}
	}
	parts := make([]string, len(same))
	for i, g := range same {
		parts[i] = said(g)
	}
	return strings.Join(parts, "; ")
}

// said is what findings say in the same way, once, with the objects and zones of the others.
func said(list []*finding.Finding) string {
	first := list[0]
	var more []string
	for _, f := range list[1:] {
		zone := f.Zone != "" && f.Zone != first.Zone
		switch {
		case f.Resource.Key != first.Resource.Key && zone:
			more = append(more, Clean(f.Resource.Key+" ("+f.Zone+")", false))
		case f.Resource.Key != first.Resource.Key:
			more = append(more, Clean(f.Resource.Key, false))
		case zone:
			more = append(more, "from the "+Clean(f.Zone, false)+" zone")
		}
	}
	if n := len(more) - maxAlso; n > 0 {
		more = append(more[:maxAlso], fmt.Sprintf("%d others (-v)", n))
	}
	text := Clean(first.Message, false)
	if len(more) > 0 {
		text += "; also " + strings.Join(more, ", ")
	}
	return text
}

// section writes the rows of a severity. Those of little weight are counted, but for who asks for them.
func (p *page) section(r *finding.Report, severity string) {
	if p.o.Severity != "" && finding.Rank(severity) > finding.Rank(p.o.Severity) {
		return
	}
	rows := causes(r, severity, p.o.Verbose)
	n := 0
	for _, c := range rows {
		n += len(c.list)
	}
	if n == 0 {
		return
	}
	if p.counted(severity) {
		return
	}
	p.line("")
	p.line(p.paint(colors[severity], fmt.Sprintf("%s  %d", strings.ToUpper(severity), n)))
	slices.SortStableFunc(rows, func(a, b *cause) int { return firstNumber(r, a) - firstNumber(r, b) }) // as the list of what to do is ranked
	for _, c := range rows {
		p.row(r, c)
	}
}

// firstNumber is the place of what closes a row in the list of what to do; those that nothing of it closes come last.
func firstNumber(r *finding.Report, c *cause) int {
	list := numbered(r)
	first := len(list)
	for _, f := range c.list {
		if i := listed(list, f.Fingerprint); i >= 0 {
			first = min(first, i)
		}
	}
	return first
}

// listed is the place of what closes a finding in a list of what to do, -1 where nothing of it does.
func listed(list []finding.Action, fingerprint string) int {
	return slices.IndexFunc(list, func(a finding.Action) bool { return slices.Contains(a.Closes, fingerprint) })
}

// counted says whether findings of a severity are of so little weight that they are only counted.
func (p *page) counted(severity string) bool {
	return finding.Rank(severity) >= finding.Rank("low") && !p.o.Verbose && p.o.Severity == ""
}

// little counts what is of little weight.
func (p *page) little(r *finding.Report) {
	var parts []string
	color := ""
	for _, severity := range finding.Severities {
		if !p.counted(severity) {
			continue
		}
		n, ids := 0, []string{}
		for _, c := range causes(r, severity, false) {
			n += len(c.list)
			ids = append(ids, c.ids...)
		}
		slices.Sort(ids)
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%s  %s in %s", strings.ToUpper(severity), count(n, "finding"), count(len(slices.Compact(ids)), "check")))
			color = cmp.Or(color, colors[severity])
		}
	}
	if len(parts) > 0 {
		p.line("")
		p.wrapped("", strings.Join(parts, "   ")+" (-v shows them)", color)
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// margin is the place of the number of what to do, as in the list of that.
const margin = "    "

// row is a cause: which of the things to do closes it, the consequence, how it is known, and what to do where that is not in the list.
func (p *page) row(r *finding.Report, c *cause) {
	numbers, rest := closedBy(r, c)
	first := margin
	if numbers != "" {
		first = fmt.Sprintf("%2s  ", numbers)
	}
	lines := wrap(c.title(), p.o.Width-max(len(first), len(margin)))
	titles := len(lines)
	at := p.placeFor(lines[titles-1:], c.id(), len(first)) + titles - 1
	if !p.o.Verbose && (c.list[0].Severity == "critical" || at == titles) { // of the others where the name of the check needs a line
		lines = append(lines, p.seen(c, lines[titles-1])...)
		at = p.placeFor(lines[titles-1:], c.id(), len(first)) + titles - 1
	}
	for i, l := range lines {
		indent, color := margin, ""
		switch {
		case i == 0:
			indent = first
		case i >= titles:
			indent, color = margin+"  ", dim
		default:
		}
		if i == at {
			p.ends(indent, l, color, c.id(), dim)
		} else {
			p.line(indent + p.paint(color, l))
		}
	}
	if at >= len(lines) || at < titles-1 {
		p.line(strings.Repeat(" ", max(0, p.o.Width-displaywidth.String(c.id()))) + p.paint(dim, c.id()))
	}
	p.more(c.list[0])
	told := map[string]bool{}
	for _, f := range rest {
		if len(told) == maxCommands && !p.o.Verbose {
			p.wrapped(margin+"  ", "and those of the others (-v)", dim)
			break
		}
		p.remedy(r, f, told)
	}
}

// more is what else has to be known of a finding.
func (p *page) more(f *finding.Finding) {
	indent := margin + "  "
	if p.o.Verbose {
		for _, e := range f.Evidence {
			p.wrapped(indent, Clean(e, false), dim)
		}
	}
	if f.Waiver != nil {
		p.wrapped(indent, Clean(f.Waiver.String(), false), colors["medium"])
	}
	for _, x := range f.Conditions {
		p.wrapped(indent, "if "+Clean(x.String(), false), "")
	}
	if len(f.Steps) > 0 && p.o.Verbose {
		p.wrapped(indent, "path: "+Clean(strings.Join(f.Steps, " -> "), false), "")
	}
}

// placeFor is the first of some lines that has place for a text at its right end; their number if none has. The first line is indented by so much.
func (p *page) placeFor(lines []string, right string, first int) int {
	for i, l := range lines {
		indent := max(first, len(margin))
		if i > 0 {
			indent += 2
		}
		if indent+displaywidth.String(l)+2+displaywidth.String(right) <= p.o.Width {
			return i
		}
	}
	return len(lines)
}

// leastSeen is how many columns of evidence are worth a line.
const leastSeen = 30

// seen is how a row is known, in one line: with place for the name of the check at its end if the title has none.
func (p *page) seen(c *cause, title string) []string {
	var parts []string
	for _, e := range c.list[0].Evidence {
		parts = append(parts, Clean(e, false))
	}
	if len(c.list[0].Steps) > 0 {
		parts = []string{Clean(strings.Join(c.list[0].Steps, " -> "), false)}
	}
	if len(parts) == 0 {
		return nil
	}
	width := p.o.Width - len(margin) - 2
	if p.placeFor([]string{title}, c.id(), len(margin)) > 0 && width-displaywidth.String(c.id())-2 >= leastSeen {
		width -= displaywidth.String(c.id()) + 2
	}
	return []string{p.short(strings.Join(parts, "; "), width)}
}

// closedBy are the numbers of what to do about the findings of a row, and the findings that these do not close, or of which there is more to say.
func closedBy(r *finding.Report, c *cause) (numbers string, rest []*finding.Finding) {
	var found []int
	list := numbered(r)
	for _, f := range c.list {
		for i := range list {
			if (slices.Contains(list[i].Closes, f.Fingerprint) || slices.Contains(list[i].Shares, f.Fingerprint)) && !slices.Contains(found, i+1) {
				found = append(found, i+1)
			}
		}
		n := listed(list, f.Fingerprint) + 1
		if n == 0 || inLines(f) && list[n-1].Command == "" {
			rest = append(rest, f)
		}
	}
	slices.Sort(found)
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(found), " ", ","), "[]"), rest
}

// inLines says whether what to change is text whose lines mean something: settings of a unit, of sshd and of the kernel can be read after each other.
func inLines(f *finding.Finding) bool {
	return len(f.Remediation) > 0 && !slices.Contains([]string{"systemd", "sshd", "sysctl"}, f.Remediation[0].Kind) &&
		strings.Contains(strings.TrimSpace(f.Remediation[0].Text), "\n")
}

// maxCommands is how many commands a row has.
const maxCommands = 5

// remedy writes the command that closes a finding, or what to change.
// What was told of the row before is left out, and so is what to do by hand with others than the first object.
func (p *page) remedy(r *finding.Report, f *finding.Finding, told map[string]bool) {
	i := slices.IndexFunc(r.Actions, func(a finding.Action) bool { return a.Command != "" && slices.Contains(a.Closes, f.Fingerprint) })
	if i >= 0 {
		if !told[r.Actions[i].Command] {
			told[r.Actions[i].Command] = true
			p.whole(margin+"  ", Clean(r.Actions[i].Command, false))
		}
		return
	}
	if len(f.Remediation) == 0 || told[f.Remediation[0].Text] || len(told) > 0 && f.Remediation[0].Kind != "command" {
		return
	}
	told[f.Remediation[0].Text] = true
	text := f.Remediation[0].Text
	if f.Beside != "" && slices.ContainsFunc(numbered(r), func(a finding.Action) bool { return slices.Contains(a.Shares, f.Fingerprint) }) {
		text = f.Beside
	}
	for l := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		if f.Remediation[0].Kind == "command" {
			p.whole(margin+"  ", Clean(l, false))
		} else {
			p.wrapped(margin+"  ", "-> "+Clean(l, false), "")
		}
	}
}

// carried writes what was found before and is not known to be gone.
func (p *page) carried(r *finding.Report) {
	list := carried(r)
	if len(list) == 0 {
		return
	}
	p.line("")
	p.wrapped("", fmt.Sprintf("FOUND BEFORE  %d, not known to be gone", len(list)), colors["medium"])
	for _, e := range list {
		p.ends(" ", Clean(e.f.Severity+": "+e.f.Message, false), "", e.res.ID, dim)
	}
}

// short is a text in so many columns, but not less than some words of it.
func (p *page) short(text string, width int) string {
	width = max(width, leastSeen)
	if displaywidth.String(text) <= width {
		return text
	}
	p.cut = true
	return wrap(text, width-2)[0] + " …"
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
