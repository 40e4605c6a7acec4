package remedy

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/finding"
)

// Tree is the plan as files: ruleset.nft, undo.nft, and each file of a service by its path, from the root.
func (p *Plan) Tree() map[string]string {
	files := map[string]string{}
	if p.Ruleset != "" {
		files["ruleset.nft"], files["undo.nft"] = p.Ruleset, anyhow(p.Inverse)
	}
	if w := p.Windows; w != nil && len(w.Rules) > 0 {
		files["rules.ps1"], files["undo.ps1"], files["rules.cmd"], files["undo.cmd"] = w.PowerShell, w.UndoShell, w.Netsh, w.UndoNetsh
	}
	for i := range p.Files {
		if name := strings.TrimPrefix(p.Files[i].Path, "/"); filepath.IsLocal(name) {
			files[name] = p.Files[i].Content
		}
	}
	return files
}

// anyhow is what removes tables, also where one is not there.
func anyhow(inverse string) string {
	var b strings.Builder
	for line := range strings.Lines(inverse) {
		if table, ok := strings.CutPrefix(line, "delete "); ok {
			b.WriteString(table)
		}
		b.WriteString(line)
	}
	return b.String()
}

// Describe is the plan for people: the ruleset, and as comments what it closes, what it disrupts, and what else is to be done, so that
// nft loads the whole of it as it is. It quotes the host, so that each text of the host goes through clean, which says whether line breaks stay.
func (p *Plan) Describe(clean func(text string, breaks bool) string) string {
	d := &description{clean: clean}
	if p.Windows != nil {
		d.windows(p)
	} else {
		d.rules(p)
	}
	for _, w := range p.Warnings {
		d.line("# warning: %s", w)
	}
	for i := range p.Files {
		d.file(&p.Files[i])
	}
	if len(p.Manual) > 0 {
		d.text.WriteString("\n# not for a packet filter:\n")
	}
	for _, m := range p.Manual {
		d.line("# %s: %s", m.Check, m.What)
		for l := range strings.SplitSeq(clean(m.Text, true), "\n") {
			fmt.Fprintf(&d.text, "#   %s: %s\n", clean(m.Kind, false), l)
		}
	}
	d.open(p.Open)
	return d.text.String()
}

// open lists what the report left open.
func (d *description) open(list []finding.Open) {
	if len(list) > 0 {
		d.text.WriteString("\n# not decided, so that there can be more to close:\n")
	}
	for _, o := range list {
		about := ""
		if o.Resource != nil {
			about = o.Resource.Key + ": "
		}
		d.line("# %s (%s): %s%s", o.Check, o.Severity, about, o.Reason)
	}
}

// description is the text as it grows.
type description struct {
	text  strings.Builder
	clean func(string, bool) string
}

// line adds a line of a format and texts.
func (d *description) line(format string, texts ...string) {
	args := make([]any, len(texts))
	for i, t := range texts {
		args[i] = d.clean(t, false)
	}
	fmt.Fprintf(&d.text, format+"\n", args...)
}

// block adds lines of nft's syntax.
func (d *description) block(s string) {
	d.text.WriteString(d.clean(strings.ReplaceAll(s, "\t", "    "), true))
}

func (d *description) rules(p *Plan) {
	if p.Ruleset == "" {
		if p.Unread != "" {
			d.line("# what a packet filter could close is not known: the rules that are loaded could not be read (%s)", p.Unread)
			return
		}
		d.text.WriteString("# nothing that a packet filter could close\n")
		return
	}
	d.text.WriteString("# load with: nft -f FILE    undo with: nft '" + strings.ReplaceAll(strings.TrimSpace(p.Inverse), "\n", "; ") + "'\n")
	for _, t := range p.Closes {
		d.line("# closes %s: %s%s", t.Check, t.What, exceptText(t.Except))
		for _, rest := range t.Rest {
			what := "to the " + rest.Zone + " zone"
			switch {
			case rest.ToZone != "":
				what = "from the " + rest.Zone + " zone to the " + rest.ToZone + " zone"
			case rest.Port != 0:
				what = fmt.Sprintf("%s/%d %s", rest.Proto, rest.Port, what)
			}
			d.line("#   (but not %s: what is left below says why)", what)
		}
		if t.Local != "" {
			d.line("#   (but not to workloads on the host itself, which no rule about interfaces keeps out: one %s)", t.Local)
		}
	}
	d.block(p.Ruleset)
	if strings.HasPrefix(p.Diff, "-") || p.Diff != "" && !strings.HasPrefix(p.Diff, "+table") {
		d.text.WriteString("\n# against what is loaded:\n")
		d.comment(p.Diff)
	}
	fmt.Fprintf(&d.text, "# disruption: %s\n", p.Disruption)
	if p.ByName != "" {
		d.line("# names: %s", p.ByName)
	}
	ends := "# ends: %s"
	if p.Drain {
		ends = "# goes on until it ends by itself, and not again: %s"
	}
	for _, text := range grouped(p.Ends) {
		d.line(ends, text)
	}
}

func (d *description) file(f *dropin.File) {
	how := "ringfence fix apply --layer service puts it in place on trial"
	if f.ByHand != "" {
		how = "by hand: " + f.ByHand
	}
	d.line("\n# file %s (%s)", f.Path, how)
	if len(f.Closes) > 0 {
		d.line("# closes %s", strings.Join(f.Closes, ", "))
	}
	if len(f.Validate) > 0 {
		d.line("# check: %s", strings.Join(f.Validate, " "))
	}
	d.line("# then: %s    undo: %s    disruption: %s", f.Reload, f.Inverse, f.Disruption)
	d.comment(f.Content)
}

// comment adds lines of another syntax as comments of nft's.
func (d *description) comment(text string) {
	for l := range strings.SplitSeq(strings.TrimSuffix(d.clean(strings.ReplaceAll(text, "\t", "    "), true), "\n"), "\n") {
		d.text.WriteString(strings.TrimRight("#   "+l, " ") + "\n")
	}
}

// exceptText names who keeps access.
func exceptText(list []netip.Prefix) string {
	if len(list) == 0 {
		return ""
	}
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.String()
	}
	return " (but for " + strings.Join(texts, ", ") + ")"
}
