package reports

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/clipperhouse/displaywidth"

	"github.com/ringfence/ringfence/finding"
)

// maxColumns is how many hosts the table has a column for; of more it has names.
const maxColumns = 24

// writeFleet writes what came of many hosts for people: what is missing or refused, the hosts, and the checks that are unknown or failed
// somewhere, each with its answer on each host.
func writeFleet(w io.Writer, f *finding.Fleet, o Options) error {
	if o.Width <= 0 {
		o.Width = defaultWidth
	}
	o.Width = max(o.Width, 40)
	p := &page{w: w, o: o}
	p.fleetHead(f)
	p.unjudged(f)
	if f.Counts.Judged > 0 {
		p.fleetHosts(f)
	}
	if f.Counts.Judged > 0 && !o.Summary {
		p.fleetChecks(f)
	}
	if p.err != nil {
		return fmt.Errorf("write report: %w", p.err)
	}
	return nil
}

func (p *page) fleetHead(f *finding.Fleet) {
	worst, _, _ := f.Worst()
	p.ends("", plural(f.Counts.Hosts, "host"), bold, fleetResult(f), colors[worst])
	p.wrapped("", fleetFacts(f), dim)
}

// fleetResult counts what was found. Hosts of which nothing is known are no hosts without findings.
func fleetResult(f *finding.Fleet) string {
	by, undecided := f.Found()
	lost := f.Counts.Missing + f.Counts.Refused
	switch {
	case f.Counts.Judged == 0:
		return "nothing is known"
	case lost > 0:
		return result(&finding.Counts{Findings: by, Unknown: undecided}) + ", " + counted(lost, "host not known", "hosts not known")
	}
	return result(&finding.Counts{Findings: by, Unknown: undecided})
}

// unjudged lists the hosts of which nothing is known.
func (p *page) unjudged(f *finding.Fleet) {
	title := false
	for i := range f.Hosts {
		h := &f.Hosts[i]
		if h.State != finding.Missing && h.State != finding.Refused {
			continue
		}
		if !title {
			p.line("")
			p.line(p.paint(colors["critical"], "NOTHING IS KNOWN OF"))
			title = true
		}
		where := ""
		if h.File != "" && h.Name != h.File {
			where = " (" + Clean(h.File, false) + ")"
		}
		p.ends(" ", Clean(h.Name, false)+where, bold, h.State, colors["critical"])
		p.wrapped("   ", Clean(h.Reason, false), "")
	}
}

// column is a text in a column of its own width, cut where it is longer.
func column(s string, width int) string {
	if displaywidth.String(s) > width {
		cut := ""
		for _, r := range s {
			if displaywidth.String(cut)+displaywidth.Rune(r) >= width {
				break
			}
			cut += string(r)
		}
		s = cut + "…"
	}
	return s + strings.Repeat(" ", max(0, width-displaywidth.String(s)))
}

// right is a number at the right end of its column; 0 is nothing.
func right(n, width int) string {
	if n == 0 {
		return strings.Repeat(" ", width)
	}
	return fmt.Sprintf("%*d", width, n)
}

// The columns of the list of hosts beside the names, and the least that names are worth a table.
const hostColumns, leastName = 72, 16

// fleetHosts lists the hosts that were judged.
func (p *page) fleetHosts(f *finding.Fleet) {
	name := p.o.Width - hostColumns
	p.line("")
	if name >= leastName {
		p.line(p.paint(bold, column("HOSTS", name+4)) + p.paint(dim, " unknown  crit  high   med   low  collected             from"))
	} else {
		p.line(p.paint(bold, "HOSTS"))
	}
	number := 0
	for i := range f.Hosts {
		h := &f.Hosts[i]
		if h.State != finding.Judged {
			continue
		}
		number++
		p.fleetHost(h, number, name)
		if p.o.Verbose && h.Trust != nil && h.Trust.Reason != "" {
			p.wrapped("      ", Clean(h.Trust.Reason, false), dim)
		}
	}
}

// fleetHost is a row of a host, or where there is no place for its columns, what was found on it and below that from when and whom it is.
func (p *page) fleetHost(h *finding.FleetHost, number, name int) {
	from, color := "not verified", colors["medium"]
	if h.Trust.Holds() {
		from, color = "verified", ""
	}
	if name < leastName {
		was := found(h.Findings)
		if h.Unknown > 0 {
			was += fmt.Sprintf(", %d unknown", h.Unknown)
		}
		p.ends(fmt.Sprintf("%3d ", number), Clean(h.Name, false), "", was, "")
		p.wrapped("    ", Clean(h.CollectedAt, false)+", "+from, color)
		return
	}
	var line strings.Builder
	line.WriteString(fmt.Sprintf("%3d %s", number, column(Clean(h.Name, false), name)) + " " + p.paint(colors["medium"], right(h.Unknown, 7)))
	for _, s := range finding.Severities[:4] {
		line.WriteString(p.paint(colors[s], right(h.Findings[s], 6)))
	}
	p.line(line.String() + "  " + column(Clean(h.CollectedAt, false), 20) + "  " + p.paint(color, from))
}

// The columns of the list of checks before those of the hosts, and with numbers in place of these.
const checkColumns, checkNumbers = 52, 74

// fleetChecks lists the checks that are unknown or failed on some host: with few hosts a column for each, with many their names.
func (p *page) fleetChecks(f *finding.Fleet) {
	columns := f.Columns()
	wide := len(columns)*3 <= p.o.Width-checkColumns && len(columns) <= maxColumns && !repeated(columns)
	p.line("")
	var title strings.Builder
	title.WriteString(p.paint(bold, column("CHECKS", 42)) + p.paint(dim, "         "))
	switch {
	case wide:
		for i := range columns {
			title.WriteString(p.paint(dim, fmt.Sprintf("%3d", i+1)))
		}
		p.line(title.String())
		p.wrapped("  ", "? unknown, F failed, F? failed and left something open, w waived, . passed, - not applicable", dim)
	case p.o.Width < checkNumbers:
		p.line(p.paint(bold, "CHECKS"))
	default:
		p.line(title.String() + p.paint(dim, " unknown   fail   pass"))
	}
	rest := 0
	for i := range f.Checks {
		c := &f.Checks[i]
		if len(c.Unknown)+len(c.Fail) == 0 && !p.o.All {
			rest++
			continue
		}
		line := " " + column(Clean(c.ID, false), 41) + p.paint(colors[c.Severity], column(c.Severity, 9))
		switch {
		case wide:
			p.line(line + p.marks(c, columns))
			continue
		case p.o.Width < checkNumbers:
			p.ends(" ", Clean(c.ID, false), "", fmt.Sprintf("%s: %d unknown, %d fail, %d pass", c.Severity, len(c.Unknown), len(c.Fail), len(c.Pass)), colors[c.Severity])
		default:
			p.line(line + right(len(c.Unknown), 8) + right(len(c.Fail), 7) + right(len(c.Pass), 7))
		}
		p.names("unknown on ", c.Unknown)
		p.names("failed on ", c.Fail)
	}
	if rest > 0 {
		p.wrapped(" ", plural(rest, "check")+" passed or did not apply everywhere (--all shows them)", dim)
	}
}

func repeated(names []string) bool {
	seen := map[string]bool{}
	for _, n := range names {
		if seen[n] {
			return true
		}
		seen[n] = true
	}
	return false
}

// marksOf are the answers of a check on each host.
func marksOf(c *finding.FleetCheck, columns []string) []string {
	mark := map[string]string{}
	for _, part := range []struct {
		sign  string
		hosts []string
	}{{".", c.Pass}, {"-", c.NotApplicable}, {"w", c.Waived}, {"F", c.Fail}} {
		for _, h := range part.hosts {
			mark[h] = part.sign
		}
	}
	for _, h := range c.Unknown {
		if mark[h] == "F" {
			mark[h] = "F?"
		} else {
			mark[h] = "?"
		}
	}
	list := make([]string, len(columns))
	for i, h := range columns {
		list[i] = mark[h]
	}
	return list
}

// marks are the answers of a check, a column for each host.
func (p *page) marks(c *finding.FleetCheck, columns []string) string {
	var line strings.Builder
	for _, mark := range marksOf(c, columns) {
		m := fmt.Sprintf("%3s", mark)
		switch mark {
		case "F", "F?":
			m = p.paint(colors[c.Severity], m)
		case "?":
			m = p.paint(colors["medium"], m)
		}
		line.WriteString(m)
	}
	return line.String()
}

// maxFleetNames is how many hosts are named of each answer.
const maxFleetNames = 8

func (p *page) names(what string, hosts []string) {
	if len(hosts) == 0 {
		return
	}
	more := ""
	if len(hosts) > maxFleetNames && !p.o.Verbose {
		more = " and " + strconv.Itoa(len(hosts)-maxFleetNames) + " more"
		hosts = hosts[:maxFleetNames]
	}
	p.wrapped("     ", what+Clean(strings.Join(hosts, ", "), false)+more, dim)
}
