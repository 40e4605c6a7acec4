package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/threatmodel"
)

// exposureRow is listeners of one program that the zones reach alike.
type exposureRow struct {
	Names []string
	Cells []exposureCell
	rank  int
}

// exposureCell is whether a zone reaches them.
type exposureCell struct {
	Verdict string
	By      string
	Details []string
}

// exposures has a row for each listener, those that are reached alike by one program together. The worst come first.
func (p *document) exposures(m *threatmodel.Model) {
	by := map[string]map[string]*threatmodel.Flow{} // listener, zone
	used := map[string]bool{}
	for i := range m.Flows {
		f := &m.Flows[i]
		if f.Kind != threatmodel.ByNetwork {
			continue
		}
		zone := m.Node(f.From).Zone
		if by[f.To] == nil {
			by[f.To] = map[string]*threatmodel.Flow{}
		}
		by[f.To][zone], used[zone] = f, true
	}
	var zones []string
	for _, z := range m.Zones {
		if used[z.Key] {
			zones, p.Zones = append(zones, z.Key), append(p.Zones, z.Title)
		}
	}
	at := map[string]int{}
	for i := range m.Nodes {
		n := &m.Nodes[i]
		if by[n.Key] == nil {
			continue
		}
		row := exposureRow{Names: []string{n.Name}}
		key := n.Program
		for z, zone := range zones {
			c, same, rank := reached(by[n.Key][zone])
			row.Cells, key = append(row.Cells, c), key+"\x00"+same
			row.rank += rank << (3 * (len(zones) - z))
		}
		if j, ok := at[key]; ok {
			p.Exposures[j].Names = append(p.Exposures[j].Names, n.Name)
			continue
		}
		at[key] = len(p.Exposures)
		p.Exposures = append(p.Exposures, row)
	}
	slices.SortStableFunc(p.Exposures, func(a, b exposureRow) int { return b.rank - a.rank })
	sees := []string{"listeners", "network"}
	if covered(m.Report, "windows") != "" {
		sees = []string{"windows"}
	}
	p.NoListener = missing(m.Report, len(p.Exposures), "No listener was seen.", sees...)
}

// missing is what stands below a table of so many rows: that it has none, or why there can be more than it has.
func missing(r *finding.Report, rows int, none string, collectors ...string) string {
	for _, name := range collectors {
		switch status := covered(r, name); status {
		case "ok", "absent":
		case "":
			return fmt.Sprintf("There can be more: %s was not looked at.", name)
		default:
			return fmt.Sprintf("There can be more: %s was not seen whole (%s).", name, status)
		}
	}
	if rows > 0 {
		return ""
	}
	return none
}

// covered is how well a collector could see, "" if it did not run.
func covered(r *finding.Report, collector string) string {
	for _, c := range r.Coverage {
		if c.Collector == collector {
			return c.Status
		}
	}
	return ""
}

// reached is what is known of one way, what cells that are alike have in common, and how bad it is.
func reached(f *threatmodel.Flow) (c exposureCell, same string, rank int) {
	if f == nil {
		return exposureCell{Verdict: "not asked"}, "", 0
	}
	c = exposureCell{Verdict: string(f.Verdict), By: few(f.By, 3)}
	switch f.Verdict {
	case threatmodel.Possible:
		c.Details, rank = []string{f.Witness}, 3
	case threatmodel.Impossible:
		c.Details, rank = f.StoppedBy, 1
		c.By = ""
	default:
		c.Details, rank = f.Because, 2
	}
	if len(f.Not) > 0 {
		c.Details = append(slices.Clone(c.Details), few(f.Not, 3))
	}
	same = strings.Join([]string{c.Verdict, c.By, strings.Join(f.Not, "\x02")}, "\x01")
	if f.Verdict != threatmodel.Possible {
		same += strings.Join(c.Details, "\x01")
	}
	return c, same, rank
}

// few is the first of a list, and how many more there are.
func few(list []string, n int) string {
	if len(list) <= n {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:n], ", "), len(list)-n)
}

// boundaryRow is a boundary between two zones.
type boundaryRow struct {
	A, B                          string
	Possible, Impossible, Unknown int
	Guard, Auth                   string
}

func (p *document) boundaries(m *threatmodel.Model) {
	for i := range m.Boundaries {
		b := &m.Boundaries[i]
		row := boundaryRow{
			A: m.Zone(b.A).Title, B: m.Zone(b.B).Title, Possible: b.Possible, Impossible: b.Impossible, Unknown: b.Unknown, Auth: strings.Join(b.Auth, ", "),
		}
		var guards []string
		if b.Filter {
			guards = append(guards, "packet filter and routes")
		}
		if b.Files {
			guards = append(guards, "permissions of files")
		}
		row.Guard = strings.Join(guards, ", ")
		if row.Guard == "" && b.Possible > 0 {
			row.Guard = "nothing seen"
		}
		p.Boundaries = append(p.Boundaries, row)
	}
	p.forwards(m)
}

// forwards has a row for each pair of zones and answer.
func (p *document) forwards(m *threatmodel.Model) {
	at := map[string]int{}
	add := func(from, to, pair, verdict string, details []string) {
		key := from + "\x00" + to + "\x00" + verdict
		i, ok := at[key]
		if !ok {
			i = len(p.Forwards)
			at[key] = i
			p.Forwards = append(p.Forwards, tableRow{What: from + " to " + to, Verdict: verdict, Details: details})
		}
		p.Forwards[i].name(pair)
	}
	for f := range m.Report.EachForward() {
		details := []string{f.Witness}
		if f.Witness == "" {
			details = causeWords(append(slices.Clone(f.StoppedBy), f.Because...))
		}
		add(f.FromZone, f.ToZone, f.From+" to "+f.To+" "+f.Family, f.Verdict, details)
	}
	slices.SortStableFunc(p.Forwards, func(a, b tableRow) int { return strings.Compare(a.What, b.What) })
}

func causeWords(list []finding.Cause) (out []string) {
	for _, c := range list[:min(len(list), maxPageEvidence)] {
		out = append(out, strings.TrimSpace(c.Where+" "+c.Text))
	}
	return out
}

// usesOrder has first what is to be read first.
var usesOrder = []threatmodel.Verdict{threatmodel.Possible, threatmodel.Unknown, threatmodel.Impossible}

// uses has a row for what parts have of the host and of its daemons, those of one answer together.
func (p *document) uses(m *threatmodel.Model) {
	at := map[string]int{}
	for i := range m.Flows {
		f := &m.Flows[i]
		if f.Kind == threatmodel.ByNetwork || f.Kind == threatmodel.ByForward {
			continue
		}
		row := tableRow{What: f.Label, Verdict: string(f.Verdict), rank: slices.Index(usesOrder, f.Verdict) * 2}
		if f.Kind == threatmodel.BySocket {
			row.What = "controls " + m.Node(f.To).Name + " by " + f.Label
		} else if f.Kind == threatmodel.ByMount {
			row.What = f.Label + " " + m.Node(f.To).Name
			row.rank++ // behind what gives more than files
		}
		row.Details = slices.Concat(f.Steps, f.StoppedBy, f.Because)
		row.Details = row.Details[:min(len(row.Details), maxPageEvidence)]
		key := strings.Join(append([]string{row.What, row.Verdict}, row.Details...), "\x00")
		if f.Verdict == threatmodel.Possible && f.Kind == threatmodel.ByPower {
			key += f.From
		}
		j, ok := at[key]
		if !ok {
			j = len(p.Uses)
			at[key] = j
			p.Uses = append(p.Uses, row)
		}
		p.Uses[j].name(m.Node(f.From).Name)
	}
	slices.SortStableFunc(p.Uses, func(a, b tableRow) int { return a.rank - b.rank })
	p.MoreUses = max(0, len(p.Uses)-maxPageTable)
	p.Uses = p.Uses[:len(p.Uses)-p.MoreUses]
	p.NoUse = missing(m.Report, len(p.Uses), "Nobody besides root was seen to have anything of the host.", "powers", "processes", "runtimes", "agents")
}
