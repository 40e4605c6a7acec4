package reports

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/clipperhouse/displaywidth"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
)

const defaultWidth = 100

// The escape sequences of colours.
const (
	bold, dim, plainColor = "\x1b[1m", "\x1b[2m", "\x1b[0m"
)

var colors = map[string]string{
	"critical": "\x1b[1;31m", "high": "\x1b[31m", "medium": "\x1b[33m", "low": "\x1b[36m", "info": dim,
}

// page writes for people. Each line is made of text that was cleaned; the first error of writing stays.
type page struct {
	w   io.Writer
	o   Options
	err error
	cut bool // something was left out that -v has
}

// writeTables writes reports below each other.
func writeTables(w io.Writer, list []*finding.Report, o Options) error {
	for i, r := range list {
		if i > 0 {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return fmt.Errorf("write report: %w", err)
			}
		}
		if err := writeTable(w, r, o); err != nil {
			return err
		}
	}
	return nil
}

// writeTable writes the report for people: what was found and what to do first, one row for each check and cause by severity, what is unknown
// by its reason.
func writeTable(w io.Writer, r *finding.Report, o Options) error {
	if o.Width <= 0 {
		o.Width = defaultWidth
	}
	o.Width = max(o.Width, 40)
	p := &page{w: w, o: o}
	p.head(r)
	p.first(r)
	if !o.Summary {
		for _, sev := range finding.Severities {
			p.section(r, sev)
		}
		p.little(r)
		p.unknown(r)
		p.carried(r)
		p.waived(r)
		p.others(r)
	}
	p.assumptions(r)
	if (p.cut || r.Confinement != nil) && len(r.Assumptions) == 0 {
		p.line("")
	}
	if p.cut {
		p.wrapped("", "What ends with … is whole with -v, and ringfence explain tells all about one check.", dim)
	}
	if r.Confinement != nil {
		p.wrapped("", confined(r.Confinement, p.o.Verbose), dim)
	}
	if p.err != nil {
		return fmt.Errorf("write report: %w", p.err)
	}
	return nil
}

func (p *page) paint(color, s string) string {
	if !p.o.Color || color == "" || s == "" {
		return s
	}
	return color + s + plainColor
}

func (p *page) line(s string) {
	if p.o.ASCII {
		s = escape.ASCII(s)
	}
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.w, strings.TrimRight(s, " "))
	}
}

// wrapped writes a text with an indentation in as many lines as it needs.
func (p *page) wrapped(indent, text, color string) {
	for _, l := range wrap(text, p.o.Width-len(indent)) {
		p.line(indent + p.paint(color, l))
	}
}

// whole writes what somebody copies: a line that is never broken.
func (p *page) whole(indent, text string) { p.line(indent + p.paint(bold, text)) }

// ends writes a text, and another at the right end of its first line, or below it where there is no place.
func (p *page) ends(indent, text, textColor, right, rightColor string) {
	under := strings.Repeat(" ", len(indent))
	whole := p.o.Width - len(indent)
	space := whole - displaywidth.String(right) - 2
	first := text
	if displaywidth.String(text) > space {
		first = ""
		if space >= whole/2 {
			first = wrap(text, space)[0]
		}
	}
	rest := strings.TrimLeft(text[len(first):], " ")
	if first == "" {
		for i, l := range wrap(text, whole) {
			p.line(map[bool]string{true: indent, false: under}[i == 0] + p.paint(textColor, l))
		}
		for _, l := range wrap(right, whole) {
			p.line(strings.Repeat(" ", p.o.Width-displaywidth.String(l)) + p.paint(rightColor, l))
		}
		return
	}
	gap := whole - displaywidth.String(first) - displaywidth.String(right)
	p.line(indent + p.paint(textColor, first) + strings.Repeat(" ", gap) + p.paint(rightColor, right))
	if rest == "" {
		return
	}
	for _, l := range wrap(rest, whole) {
		p.line(under + p.paint(textColor, l))
	}
}

// head says what was looked at, what was found, and what was not seen.
func (p *page) head(r *finding.Report) {
	parts := []string{r.Host.Name, r.Host.OS, "kernel " + r.Host.Kernel}
	if r.Host.SeenBy != "" {
		parts = append(parts, r.Host.SeenBy)
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	c := r.Count()
	p.ends("", Clean(strings.Join(parts, " · "), false), bold, result(&c), colors[r.Worst()])
	text := fmt.Sprintf("%d passed · %d not applicable · %d unknown", c.Pass, c.NotApplicable, c.Unknown)
	left := 0
	for i := range r.Results {
		if r.Results[i].Status == finding.Waived && len(r.Results[i].Findings) == 0 {
			left++
		}
	}
	if c.Waived > left {
		text += fmt.Sprintf(" · %d waived", c.Waived-left)
	}
	if left > 0 {
		text += fmt.Sprintf(" · %d left out", left)
	}
	var gaps []string
	for _, cov := range r.Coverage {
		if cov.Status != "ok" && cov.Status != "absent" {
			gaps = append(gaps, strings.TrimSuffix(Clean(cov.Collector+" "+cov.Status, false), " partial"))
		}
	}
	if len(gaps) > 0 {
		text += " · not seen whole: " + strings.Join(gaps, ", ")
	}
	p.wrapped("", text, dim)
	switch t := r.Trust; {
	case t.Holds():
		p.wrapped("", Clean("signed by "+t.Principal+", "+t.Key+" ("+t.By+")", false), dim)
	case t != nil:
		p.wrapped("", "NOT VERIFIED: "+Clean(t.Reason, false), colors["medium"])
	}
	if len(r.Host.Confined) > 0 {
		p.wrapped("", "note: this may not be the host: "+Clean(strings.Join(r.Host.Confined, "; "), false), "")
	}
	if p.o.Verbose {
		for _, cov := range r.Coverage {
			for _, why := range cov.Reasons {
				p.wrapped("  ", Clean(cov.Collector+": "+why, false), dim)
			}
		}
	}
	if denied(r) && r.Host.SeenBy != "root" && r.Host.SeenBy != "files" && c.Unknown > 0 {
		p.line("")
		p.wrapped("", fmt.Sprintf("%s unknown, since %s may not see what they are about. Root sees all, and so do the capabilities "+
			"NET_ADMIN, SYS_PTRACE, DAC_READ_SEARCH and SYS_ADMIN:", counted(c.Unknown, "check is", "checks are"), Clean(r.Host.SeenBy, false)), colors["medium"])
		p.whole("  ", "sudo ringfence audit")
	}
}

// result counts what was found; where nothing was, it does not sound well if much is unknown.
func result(c *finding.Counts) string {
	if len(c.Findings) == 0 && c.Unknown > 0 {
		return fmt.Sprintf("nothing found, %d unknown", c.Unknown)
	}
	return found(c.Findings)
}

func denied(r *finding.Report) bool {
	return slices.ContainsFunc(r.Coverage, func(c finding.Coverage) bool { return c.Status == "denied" || c.Status == "partial" })
}

// found counts findings by severity.
func found(by map[string]int) string {
	var parts []string
	for _, s := range finding.Severities {
		if n := by[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	if len(parts) == 0 {
		return "nothing found"
	}
	return strings.Join(parts, ", ")
}

// maxFirst is how many things are to be done first.
const maxFirst = 6

// maxNumbered is how many the page lists, and refers to by their numbers.
const maxNumbered = 15

// numbered are the actions that the page lists: all that are about more than what is of little weight.
func numbered(r *finding.Report) []finding.Action {
	list := slices.DeleteFunc(slices.Clone(r.Actions), func(a finding.Action) bool { return a.Severity == "info" || a.Severity == "low" })
	return list[:min(len(list), maxNumbered)]
}

// first lists what to do first.
func (p *page) first(r *finding.Report) {
	open := r.Counting()
	list := numbered(r)
	if len(list) == 0 {
		return
	}
	p.line("")
	p.ends("", "DO FIRST", bold, "closes", dim)
	for i, a := range list {
		by := map[string]int{}
		ids := a.Closes
		if len(ids) == 0 {
			ids = a.Shares
		}
		for _, id := range ids {
			if f := open[id]; f != nil {
				by[f.Severity]++
			}
		}
		closes := found(by)
		if len(a.Closes) == 0 {
			closes = "part of " + closes
		}
		p.action(fmt.Sprintf("%2d  ", i+1), &a, closes)
	}
}

// action is a command, which stays whole, or what to change.
func (p *page) action(indent string, a *finding.Action, closes string) {
	if a.Command == "" {
		p.ends(indent, oneLine(a.Text), "", closes, dim)
		return
	}
	command := Clean(a.Command, false)
	gap := p.o.Width - len(indent) - displaywidth.String(command) - displaywidth.String(closes)
	if gap < 2 {
		p.whole(indent, command)
		p.line(strings.Repeat(" ", max(0, p.o.Width-displaywidth.String(closes))) + p.paint(dim, closes))
		return
	}
	p.line(indent + p.paint(bold, command) + strings.Repeat(" ", gap) + p.paint(dim, closes))
}

// oneLine makes a text of several lines one.
func oneLine(s string) string {
	return Clean(strings.ReplaceAll(strings.TrimSpace(s), "\n", "; "), false)
}

// confined says in one line what the process that judged was kept from.
func confined(c *finding.Confinement, verbose bool) string {
	if c.Complete() {
		if lock, _, cut := strings.Cut(c.Landlock, ": "); cut && !verbose { // why it is absent
			return Clean("Judged without capabilities, files, network and programs (Landlock: "+lock+", seccomp: "+c.Seccomp+").", false)
		}
		return Clean("Judged without capabilities, files, network and programs (Landlock: "+c.Landlock+", seccomp: "+c.Seccomp+").", false)
	}
	return Clean(fmt.Sprintf("Judged less confined than wanted: capabilities %s, files %s, network %s, programs %s, Landlock %s, seccomp %s.",
		c.Capabilities, c.Files, c.Network, c.Programs, c.Landlock, c.Seccomp), false)
}
