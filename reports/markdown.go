package reports

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ringfence/ringfence/finding"
)

// maxMarkdown bounds the text in bytes: GitHub takes 65,536 characters in a comment and 1 MiB in the summary of a step.
const maxMarkdown = 60_000

// leastMarkdown is how many bytes of a host among many are worth a section.
const leastMarkdown = 1500

// writeMarkdown writes for a comment or the summary of a job. Text of the host stands in code, in which nothing is a link, a picture, a mention or HTML.
// Of several hosts the worst come first, behind a table of all; there are as many sections as there is place for.
func writeMarkdown(w io.Writer, list []*finding.Report, _ Options) error {
	b := new(bytes.Buffer)
	if len(list) > 1 {
		list = worstFirst(list)
		markdownHosts(b, list)
	}
	for i, r := range list {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		budget := max(leastMarkdown, (maxMarkdown-b.Len())/(len(list)-i))
		if i > 0 && b.Len()+budget > maxMarkdown {
			fmt.Fprintf(b, "What was found on %s is in the JSON report.\n", counted(len(list)-i, "more host", "more hosts"))
			break
		}
		markdownReport(b, r, budget)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write Markdown: %w", err)
	}
	return nil
}

// worstFirst are reports in the order of what was found, and then of how much is unknown.
func worstFirst(list []*finding.Report) []*finding.Report {
	return slices.SortedStableFunc(slices.Values(list), func(a, b *finding.Report) int {
		x, y := a.Count(), b.Count()
		for _, s := range finding.Severities {
			if n := y.Findings[s] - x.Findings[s]; n != 0 {
				return n
			}
		}
		return y.Unknown - x.Unknown
	})
}

// markdownHosts has a row for each host.
func markdownHosts(b *bytes.Buffer, list []*finding.Report) {
	rows := []string{}
	for _, r := range list {
		c := r.Count()
		rows = append(rows, fmt.Sprintf("| %s | %s | %d |\n", cell(upTo(r.Host.Name, 200)), found(c.Findings), c.Unknown))
	}
	fmt.Fprintf(b, "# ringfence: %d hosts\n", len(list))
	b.WriteString(table("Hosts", "| host | found | unknown |\n|---|---|---|\n", rows, maxMarkdown/2))
}

// markdownReport writes a report in about as many bytes: what has no place is counted.
func markdownReport(b *bytes.Buffer, r *finding.Report, budget int) {
	end := b.Len() + budget
	c := r.Count()
	fmt.Fprintf(b, "## ringfence: %s\n\n", code(upTo(r.Host.Name, 200)))
	fmt.Fprintf(b, "**%s** · %d passed · %d not applicable · %d unknown · %d waived\n", found(c.Findings), c.Pass, c.NotApplicable, c.Unknown, c.Waived)
	if r.Trust != nil {
		fmt.Fprintf(b, "\nVerified: %s\n", code(upTo(verified(r.Trust), 200)))
	}
	var first []string
	for i, a := range r.Actions[:min(len(r.Actions), maxFirst)] {
		text := a.Text
		if a.Command != "" {
			text = a.Command
		}
		first = append(first, fmt.Sprintf("%d. %s (closes %d, %s)\n", i+1, code(upTo(text, 500)), len(a.Closes), a.Severity))
	}
	b.WriteString(table("Do first", "", first, (end-b.Len())/2))
	rows := []string{}
	for _, sev := range finding.Severities {
		for _, x := range causes(r, sev, false) {
			rows = append(rows, fmt.Sprintf("| %s | %s | %s |\n", sev, cell(upTo(x.title(), 1000)), cell(x.id())))
		}
	}
	b.WriteString(table("Findings", "| severity | finding | check |\n|---|---|---|\n", rows, end-b.Len()))
	b.WriteString(table("Waived", "| finding | check | why |\n|---|---|---|\n", waivedRows(r), (end-b.Len())/2))
	for i, text := range assumed(r) {
		line := "\n" + code(upTo(text, 500)) + "\n"
		if b.Len()+len(line) > end-noteLength {
			fmt.Fprintf(b, "\n%d more checks that pass under assumptions are in the JSON report.\n", len(assumed(r))-i)
			break
		}
		b.WriteString(line)
	}
	b.WriteString(table("Unknown", "| check | why |\n|---|---|\n", unknownRows(r), end-b.Len()))
}

// waivedRows are the findings that are accepted.
func waivedRows(r *finding.Report) (rows []string) {
	for i := range r.Results {
		for j := range r.Results[i].Findings {
			if f := &r.Results[i].Findings[j]; f.Waiver.Holds() {
				rows = append(rows, fmt.Sprintf("| %s | %s | %s |\n", cell(upTo(f.Message, 500)), cell(r.Results[i].ID), cell(upTo(f.Waiver.String(), 500))))
			}
		}
	}
	return rows
}

// unknownRows are what is not known, the checks of one reason together.
func unknownRows(r *finding.Report) []string {
	var list []entry
	for i := range r.Results {
		if e := (entry{r: r, res: &r.Results[i], open: leavesOpen(&r.Results[i])}); e.status() == finding.Unknown {
			list = append(list, e)
		}
	}
	var order []string
	by := map[string][]string{}
	for _, e := range append(list, carried(r)...) {
		why := cell(upTo(e.message(), 500))
		if by[why] == nil {
			order = append(order, why)
		}
		by[why] = append(by[why], cell(e.res.ID))
	}
	rows := make([]string, len(order))
	for i, why := range order {
		rows[i] = fmt.Sprintf("| %s | %s |\n", strings.Join(by[why], ", "), why)
	}
	return rows
}

// noteLength is the place that the line about what is left out needs.
const noteLength = 100

// table is a table with as many rows as there is place for, and how many are left out.
func table(title, head string, rows []string, budget int) string {
	if len(rows) == 0 {
		return ""
	}
	var b strings.Builder
	for i, row := range rows {
		if i == 0 {
			fmt.Fprintf(&b, "\n### %s\n\n%s", title, head)
		}
		if b.Len()+len(row) > budget-noteLength {
			if i == 0 {
				return fmt.Sprintf("\n%s: %d are in the JSON report.\n", title, len(rows))
			}
			fmt.Fprintf(&b, "\n%d more are in the JSON report.\n", len(rows)-i)
			break
		}
		b.WriteString(row)
	}
	return b.String()
}

// code is a text as a span of code, whose fence is longer than any run of backticks in it.
func code(s string) string {
	s = oneLine(s)
	longest, run := 0, 0
	for _, c := range s {
		if c == '`' {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	if strings.TrimSpace(s) == "" {
		return "` `"
	}
	fence := strings.Repeat("`", longest+1)
	if strings.Trim(s, "` ") == s {
		return fence + s + fence
	}
	return fence + " " + s + " " + fence // one blank at each end is taken away again (CommonMark, 6.1)
}

// codeUpTo is a text as a span of code of at most so many characters. The fence of one with many backticks would take that place, so that
// these are apostrophes then.
func codeUpTo(s string, n int) string {
	const fences = 4 // and the blanks beside them
	if c := code(upTo(s, n-fences)); utf8.RuneCountInString(c) <= n {
		return c
	}
	return code(upTo(strings.ReplaceAll(s, "`", "'"), n-fences))
}

// beforeBar is a backslash that would take the one before a bar for itself: the bar then ended the cell (GFM, 4.10).
var beforeBar = strings.NewReplacer(`\|`, `\x5c\|`, "|", `\|`)

// cell is code in a cell of a table, which ends at a bar even in code.
func cell(s string) string { return beforeBar.Replace(code(s)) }
