package reports

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/ringfence/ringfence/finding"
)

var colors = map[string]string{
	"critical": "\x1b[1;31m", "high": "\x1b[31m", "medium": "\x1b[33m", "low": "\x1b[36m", "info": "\x1b[2m",
}

const defaultWidth = 100

// writeTable writes for people: what follows from a finding, how it is known, and one thing to do,
// by severity; then what is unknown and why; at last one line that says what was judged.
func writeTable(w io.Writer, r *finding.Report, o Options) error {
	if o.Width <= 0 {
		o.Width = defaultWidth
	}
	o.Width = max(o.Width, 40)
	paint := func(sev, s string) string {
		if o.Color && colors[sev] != "" {
			return colors[sev] + s + "\x1b[0m"
		}
		return s
	}
	fmt.Fprintln(w, strings.Join(wrap(hostLine(r), o.Width), "\n"))
	for _, c := range r.Host.Confined {
		fmt.Fprintln(w, strings.Join(wrap("note: this may not be the host: "+Clean(c, false), o.Width), "\n"))
	}
	for _, sev := range finding.Severities {
		rows := findingRows(r, sev)
		if len(rows) == 0 {
			continue
		}
		title := fmt.Sprintf("%s (%d)", strings.ToUpper(sev), len(rows))
		fmt.Fprintf(w, "\n%s\n", paint(sev, title))
		if err := render(w, []string{"check", "finding"}, rows, o.Width); err != nil {
			return err
		}
	}
	if rows := statusRows(r, finding.Unknown); len(rows) > 0 {
		fmt.Fprintf(w, "\n%s\n", paint("medium", fmt.Sprintf("UNKNOWN (%d): neither passed nor failed", len(rows))))
		if err := render(w, []string{"check", "why"}, byReason(rows), o.Width); err != nil {
			return err
		}
	}
	if o.All {
		if rows := statusRows(r, finding.Pass, finding.NotApplicable, finding.Waived); len(rows) > 0 {
			fmt.Fprintf(w, "\nPASSED OR NOT APPLICABLE (%d)\n", len(rows))
			if err := render(w, []string{"check", "state"}, rows, o.Width); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(w, "\n%s\n", strings.Join(wrap(summary(r), o.Width), "\n"))
	if c := r.Confinement; c != nil {
		_, err = fmt.Fprintln(w, strings.Join(wrap(Clean(confined(c), false), o.Width), "\n"))
	}
	return err
}

// confined says in one line what the process that judged was kept from.
func confined(c *finding.Confinement) string {
	if c.Complete() {
		return "Judged without capabilities, files, network and programs (Landlock: " + c.Landlock + ", seccomp: " + c.Seccomp + ")."
	}
	return fmt.Sprintf("Judged less confined than wanted: capabilities %s, files %s, network %s, programs %s, Landlock %s, seccomp %s.",
		c.Capabilities, c.Files, c.Network, c.Programs, c.Landlock, c.Seccomp)
}

func hostLine(r *finding.Report) string {
	return Clean(fmt.Sprintf("ringfence %s: host %s, %s, kernel %s, seen %s", r.Tool.Version, r.Host.Name, r.Host.OS, r.Host.Kernel,
		r.Snapshot.CollectedAt), false)
}

// findingRows has a row for each finding: the check, and the three parts of what is known.
func findingRows(r *finding.Report, severity string) [][2]string {
	var rows [][2]string
	for i := range r.Results {
		res := &r.Results[i]
		if res.Status != finding.Fail {
			continue
		}
		for _, f := range res.Findings {
			if f.Severity != severity {
				continue
			}
			lines := []string{Clean(f.Message, false)}
			for n, e := range f.Evidence {
				if n == 3 {
					lines = append(lines, fmt.Sprintf("  (and %d more in the JSON report)", len(f.Evidence)-3))
					break
				}
				lines = append(lines, "  seen: "+Clean(e, false))
			}
			for _, c := range f.Conditions {
				lines = append(lines, "  if:   "+Clean(c.String(), false))
			}
			if len(f.Steps) > 0 {
				lines = append(lines, "  path: "+Clean(strings.Join(f.Steps, " -> "), false))
			}
			if len(f.Remediation) > 0 {
				lines = append(lines, "  fix:  "+Clean(command(&f.Remediation[0]), false))
			}
			rows = append(rows, [2]string{res.ID, strings.Join(lines, "\n")})
		}
	}
	return rows
}

// command is what to type or change: a rule of the packet filter is loaded by the program itself.
func command(r *finding.Remediation) string {
	if r.Deny != nil {
		return "ringfence audit --fix (" + r.Text + ")"
	}
	return strings.ReplaceAll(r.Text, "\n", "; ")
}

func statusRows(r *finding.Report, states ...string) [][2]string {
	var rows [][2]string
	for i := range r.Results {
		res := &r.Results[i]
		if !slices.Contains(states, res.Status) {
			continue
		}
		text := Clean(res.Reason, false)
		if res.Status != finding.Unknown {
			text = strings.TrimSuffix(strings.ReplaceAll(res.Status, "_", " ")+": "+text, ": ")
		}
		rows = append(rows, [2]string{res.ID, text})
	}
	return rows
}

// byReason joins the checks that one gap makes unknown.
func byReason(rows [][2]string) [][2]string {
	var out [][2]string
	for _, r := range rows {
		i := slices.IndexFunc(out, func(o [2]string) bool { return o[1] == r[1] })
		if i < 0 {
			out = append(out, r)
		} else {
			out[i][0] += "\n" + r[0]
		}
	}
	return out
}

// render lays a table of two columns out. The cells are wrapped here, because the library's own
// wrapping either cuts long words without a mark or marks every break inside them.
func render(w io.Writer, head []string, rows [][2]string, width int) error {
	first := 0
	for _, r := range rows {
		for id := range strings.SplitSeq(r[0], "\n") {
			if width >= 90 {
				first = max(first, len(id))
				continue
			}
			for _, part := range strings.SplitAfter(id, "/") {
				first = max(first, len(part))
			}
		}
	}
	if width < 90 {
		first = min(first, width/3)
	}
	first = min(first, width/2)
	second := width - first - 7 // three borders and two blanks in each column
	table := tablewriter.NewTable(
		w,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Settings: tw.Settings{Separators: tw.Separators{BetweenRows: tw.On}},
		})),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAlignment(tw.AlignLeft),
		tablewriter.WithRowAlignment(tw.AlignLeft),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithTrimSpace(tw.Off),
	)
	table.Header(head[0], head[1])
	for _, r := range rows {
		if err := table.Append(wrapID(r[0], first), wrapCell(r[1], second)); err != nil {
			return fmt.Errorf("write table: %w", err)
		}
	}
	if err := table.Render(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// wrapID breaks the names of checks after their area.
func wrapID(ids string, width int) string {
	var out []string
	for id := range strings.SplitSeq(ids, "\n") {
		if area, name, ok := strings.Cut(id, "/"); ok && len(id) > width {
			out = append(out, area+"/")
			id = name
		}
		out = append(out, wrap(id, width)...)
	}
	return strings.Join(out, "\n")
}

// wrapCell wraps each line of a cell and keeps its indentation.
func wrapCell(s string, width int) string {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		text := strings.TrimLeft(line, " ")
		indent := len(line) - len(text)
		if indent > 0 && strings.Contains(text, ": ") {
			indent += 6 // under the text behind "seen: "
		}
		for i, l := range wrap(text, width-indent) {
			pad := indent
			if i == 0 {
				pad = len(line) - len(text)
			}
			out = append(out, strings.Repeat(" ", pad)+l)
		}
	}
	return strings.Join(out, "\n")
}

// summary is the last line: what was judged, what is unknown and why.
func summary(r *finding.Report) string {
	c := r.Count()
	var found []string
	for _, s := range finding.Severities {
		if n := c.Findings[s]; n > 0 {
			found = append(found, fmt.Sprintf("%d %s", n, s))
		}
	}
	if len(found) == 0 {
		found = []string{"none"}
	}
	s := fmt.Sprintf("%d checks: %d failed (findings: %s), %d passed, %d unknown, %d not applicable",
		len(r.Results), c.Fail, strings.Join(found, ", "), c.Pass, c.Unknown, c.NotApplicable)
	if c.Waived > 0 {
		s += fmt.Sprintf(", %d waived", c.Waived)
	}
	var gaps []string
	for _, cov := range r.Coverage {
		if cov.Status != "ok" && cov.Status != "absent" {
			gaps = append(gaps, cov.Collector+" "+cov.Status)
		}
	}
	if len(gaps) > 0 {
		s += ". Seen incompletely: " + strings.Join(gaps, ", ")
	}
	return s + "."
}
