package threatmodel

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/finding"
)

// Drawing is what of a model is drawn: few enough boxes and lines to be read, whatever the size of the host. The tables of a report have the rest.
type Drawing struct {
	Model *Model
	Boxes []Box // in the order of zones
	Lines []Line
	// LeftOut counts the flows that are proven impossible and that nobody asked for, NotKnown those of services and accounts that are not known; Open
	// the questions that the report leaves open.
	LeftOut  int
	NotKnown int
	Open     int

	at map[string]int // boxes by key
}

// Box is a node with its listeners, or several nodes as one.
type Box struct {
	Key   string
	Zone  string
	Kind  NodeKind
	Title string
	// Sub are further lines: what it listens on, what it is.
	Sub []string
	// Nodes are the keys of the nodes that it shows.
	Nodes []string
	// Counts are its findings that count, by severity; First is the fingerprint of the worst.
	Counts map[string]int
	First  string
	// Open says that something about it is not decided.
	Open bool

	more   int // how many it stands for
	named  int // listeners that it shows
	unsaid int // listeners that are not named
}

// Worst is the highest severity of its findings, "" if there are none.
func (b *Box) Worst() string {
	for _, s := range finding.Severities {
		if b.Counts[s] > 0 {
			return s
		}
	}
	return ""
}

// Line is flows of one kind and verdict between two boxes.
type Line struct {
	From, To string // keys of boxes
	Kind     FlowKind
	Verdict  Verdict
	Labels   []string
	Flows    []int // places in the list of the model
}

// Note says what a picture does not show.
func (d *Drawing) Note() string {
	var parts []string
	switch {
	case d.Open == 1:
		parts = append(parts, "1 question is left open")
	case d.Open > 1:
		parts = append(parts, fmt.Sprintf("%d questions are left open", d.Open))
	}
	if d.NotKnown > 0 {
		parts = append(parts, fmt.Sprintf("what services and accounts can become is unknown %d times", d.NotKnown))
	}
	if d.LeftOut > 0 {
		parts = append(parts, fmt.Sprintf("%d further flows are proven impossible", d.LeftOut))
	}
	return strings.Join(parts, "; ")
}

// The bounds of a drawing.
const (
	maxListeners = 12 // of a box, that are named
	maxBoxes     = 18 // of a zone
	maxAlike     = 5  // workloads that listen on the same, and about which the same was found
	maxFan       = 5  // boxes of one zone from which, or to which, lines of one kind and verdict lead
	maxIdle      = 4  // boxes of a zone about which there is nothing to say
	maxLabels    = 4  // of a line
	maxStopped   = 24 // lines that are proven impossible
)

// Draw chooses what is drawn.
func (m *Model) Draw() *Drawing {
	d := &Drawing{Model: m, at: map[string]int{}, Open: len(m.Report.Open())}
	of := d.boxes()
	d.lines(of)
	d.alike()
	d.fold()
	d.fansOut()
	d.fansIn()
	d.unused()
	d.merge()
	return d
}

// boxes makes a box of each node. Listeners are in the box of what has them.
func (d *Drawing) boxes() map[string]string {
	of := map[string]string{}
	for i := range d.Model.Nodes {
		n := &d.Model.Nodes[i]
		key, title := n.Key, n.Name
		if n.Part == partListener {
			switch up := d.Model.Node(n.In); {
			case up != nil:
				key, title = up.Key, up.Name
			default:
				key, title = "program "+n.Zone+" "+n.Program, n.Program
			}
		}
		of[n.Key] = key
		at, ok := d.at[key]
		if !ok {
			at = len(d.Boxes)
			d.at[key] = at
			d.Boxes = append(d.Boxes, Box{Key: key, Zone: n.Zone, Kind: n.Kind, Title: title, Counts: map[string]int{}})
		}
		d.Boxes[at].show(n)
		if n.Key == key {
			d.Boxes[at].called(n)
		}
	}
	return of
}

// called has a box named for what it is: a container by its name, a process by its program.
func (b *Box) called(n *Node) {
	switch n.Part {
	case finding.PartContainer:
		b.Title = strings.TrimPrefix(n.Name, "container ")
	case finding.PartProcess:
		b.Title = path.Base(strings.TrimPrefix(n.Name, "process "))
	case finding.PartAccount:
		b.Title = strings.TrimPrefix(n.Name, "account ")
	case finding.PartAgent, finding.PartService, finding.PartDaemon:
	default:
		if strings.HasPrefix(n.Key, "network ") {
			b.Title = "Networks"
		}
		return
	}
	if n.In == "" {
		b.Sub = append([]string{n.Part}, b.Sub...)
	}
}

// show adds a node to a box.
func (b *Box) show(n *Node) {
	b.Nodes = append(b.Nodes, n.Key)
	if n.Part != partListener && n.In != "" {
		b.Sub = append(b.Sub, "in "+n.In)
	}
	if n.Part == partListener {
		if b.named++; b.named <= maxListeners {
			at, _, _ := strings.Cut(n.Name, " (")
			b.Sub = append(b.Sub, at)
		} else {
			b.unsaid++
		}
	}
	for _, f := range n.Findings {
		if f.Finding.Waiver.Holds() {
			continue
		}
		if s := f.Finding.Severity; b.First == "" || finding.Rank(s) < finding.Rank(b.Worst()) {
			b.First = f.Finding.Fingerprint
		}
		b.Counts[f.Finding.Severity]++
	}
	b.Open = b.Open || len(n.Open) > 0
}

// lines joins the flows between boxes. Left out are those that nobody asked for and that cannot be, and those of processes of the host to
// services of the host.
func (d *Drawing) lines(of map[string]string) {
	stopped := 0
	for i := range d.Model.Flows {
		f := &d.Model.Flows[i]
		from, to := d.Model.Node(f.From), d.Model.Node(f.To)
		switch {
		case of[f.From] == of[f.To]:
			continue
		case f.Verdict == Impossible && (!f.Expected || stopped >= maxStopped):
			d.LeftOut++
			continue
		case f.Kind == ByNetwork && (from.Zone == Host || from.Zone == Runtime):
			continue
		case f.Kind == ByPower && f.Verdict == Unknown && (from.Part == finding.PartService || from.Part == finding.PartAccount):
			d.NotKnown++ // the table has them
			continue
		case f.Kind == ByPower && f.Verdict == Impossible && to.Zone == Host && from.Part != finding.PartContainer && from.Part != finding.PartAgent:
			d.LeftOut++
			continue
		}
		if f.Verdict == Impossible {
			stopped++
		}
		d.Lines = append(d.Lines, Line{From: of[f.From], To: of[f.To], Kind: f.Kind, Verdict: f.Verdict, Labels: []string{f.Label}, Flows: []int{i}})
	}
}

// touched says of each box whether a line begins or ends there.
func (d *Drawing) touched() map[string]bool {
	t := map[string]bool{}
	for i := range d.Lines {
		t[d.Lines[i].From], t[d.Lines[i].To] = true, true
	}
	return t
}

// weight orders boxes by what makes them worth a place.
func (b *Box) weight(touched bool) int {
	w := finding.Rank(cmp.Or(b.Worst(), "none")) * 2
	if !touched {
		w++
	}
	if b.pinned() {
		return -1
	}
	return w
}

// pinned says of a box that it is always drawn, and above the others of its zone.
func (b *Box) pinned() bool {
	return strings.HasPrefix(b.Key, "actor ") || strings.HasPrefix(b.Key, "goal ") || strings.HasPrefix(b.Key, "network ")
}

// alike makes one box of workloads that listen on the same, that lines of the same kinds and verdicts begin or end at, and about which the same was
// found.
func (d *Drawing) alike() {
	at := map[string][]string{}
	for i := range d.Lines {
		l := &d.Lines[i]
		for _, end := range [][2]string{{l.From, l.To}, {l.To, l.From}} {
			other := end[1]
			if l.Kind == ByMount {
				other = "" // each has files of its own
			}
			if s := fmt.Sprint(l.Kind, l.Verdict, other); !slices.Contains(at[end[0]], s) {
				at[end[0]] = append(at[end[0]], s)
			}
		}
	}
	of := func(b *Box) string { return fmt.Sprint("alike ", b.Sub, b.Counts, b.Open, at[b.Key]) }
	n := map[string]int{}
	for i := range d.Boxes {
		if d.Boxes[i].Zone == Workload && !d.Boxes[i].pinned() {
			n[of(&d.Boxes[i])]++
		}
	}
	into := map[string]string{}
	for i := range d.Boxes {
		if b := &d.Boxes[i]; b.Zone == Workload && n[of(b)] > maxAlike {
			into[b.Key] = of(b)
		}
	}
	d.redirect(into)
}

// fold makes one box of those of a zone that are too many, by what they are.
func (d *Drawing) fold() {
	touched := d.touched()
	into := map[string]string{}
	for _, zone := range order {
		var in []int
		for i := range d.Boxes {
			if d.Boxes[i].Zone == zone {
				in = append(in, i)
			}
		}
		idle := slices.DeleteFunc(slices.Clone(in), func(i int) bool {
			b := &d.Boxes[i]
			return b.pinned() || touched[b.Key] || len(b.Counts) > 0 || b.Kind != Component
		})
		if len(idle) > maxIdle {
			for _, i := range idle {
				into[d.Boxes[i].Key] = "more " + zone + " " + string(Component)
			}
			in = slices.DeleteFunc(in, func(i int) bool { return slices.Contains(idle, i) })
		}
		if len(in) <= maxBoxes {
			continue
		}
		slices.SortStableFunc(in, func(a, b int) int {
			return d.Boxes[a].weight(touched[d.Boxes[a].Key]) - d.Boxes[b].weight(touched[d.Boxes[b].Key])
		})
		for _, i := range in[maxBoxes-2:] {
			into[d.Boxes[i].Key] = "more " + zone + " " + string(d.Boxes[i].Kind)
		}
	}
	d.redirect(into)
}

// redirect puts boxes into others, which are made where there are none.
func (d *Drawing) redirect(into map[string]string) {
	if len(into) == 0 {
		return
	}
	var kept []Box
	at := map[string]int{}
	for i := range d.Boxes {
		b := &d.Boxes[i]
		key, ok := into[b.Key]
		if !ok {
			at[b.Key] = len(kept)
			kept = append(kept, *b)
			continue
		}
		j, ok := at[key]
		if !ok {
			j = len(kept)
			at[key] = j
			kept = append(kept, Box{Key: key, Zone: b.Zone, Kind: b.Kind, Counts: map[string]int{}})
			if strings.HasPrefix(key, "alike ") {
				kept[j].Sub = append([]string{"such as " + b.Title}, b.Sub...)
			}
		}
		kept[j].swallow(b)
	}
	d.Boxes, d.at = kept, at
	for i := range d.Lines {
		l := &d.Lines[i]
		if key, ok := into[l.From]; ok {
			l.From = key
		}
		if key, ok := into[l.To]; ok {
			l.To = key
		}
	}
}

// swallow adds a box to one that stands for several.
func (b *Box) swallow(o *Box) {
	b.more += max(1, o.more)
	b.Nodes = append(b.Nodes, o.Nodes...)
	switch {
	case strings.HasPrefix(b.Key, "alike "):
		b.Title = fmt.Sprintf("%d alike", b.more)
	case o.Kind == Component:
		b.Title = fmt.Sprintf("%d more", b.more)
		b.Sub = []string{map[string]string{Workload: "containers and agents", Host: "programs and services"}[o.Zone]}
	default:
		b.Title = fmt.Sprintf("%d more", b.more)
		b.Sub = []string{map[NodeKind]string{Actor: "accounts", Store: "files and directories"}[o.Kind]}
	}
	if b.First == "" || o.First != "" && finding.Rank(o.Worst()) < finding.Rank(cmp.Or(b.Worst(), "none")) {
		b.First = o.First
	}
	for s, n := range o.Counts {
		b.Counts[s] += n
	}
	b.Open = b.Open || o.Open
}

// fan is what lines have in common that are drawn as one if they are many.
type fan struct {
	at, zone string // the box at the one end, the zone at the other one
	kind     FlowKind
	verdict  Verdict
}

// fansOut makes one line of those that lead from one box to listeners of many workloads.
func (d *Drawing) fansOut() {
	d.fans(
		func(l *Line) (fan, string) { return fan{l.From, d.box(l.To).Zone, l.Kind, l.Verdict}, l.To },
		func(f *fan) bool { return f.kind == ByNetwork && f.zone == Workload },
		func(l *Line, to string) { l.To = to },
		func(*fan) (string, string) { return "listeners", "%d workloads listen" },
	)
}

// fansIn makes one line of those of many boxes of a zone that lead to one box.
func (d *Drawing) fansIn() {
	d.fans(
		func(l *Line) (fan, string) { return fan{l.To, d.box(l.From).Zone, l.Kind, l.Verdict}, l.From },
		func(f *fan) bool { return f.kind != ByNetwork },
		func(l *Line, from string) { l.From = from },
		func(f *fan) (string, string) {
			return "many " + string(f.kind) + " " + string(f.verdict), map[string]string{Workload: "%d workloads"}[f.zone]
		},
	)
}

// fans has a box that stands for the ends of lines that are too many.
func (d *Drawing) fans(of func(*Line) (fan, string), meant func(*fan) bool, redirect func(*Line, string), called func(*fan) (key, title string)) {
	ends := map[fan]map[string]bool{}
	for i := range d.Lines {
		f, end := of(&d.Lines[i])
		if ends[f] == nil {
			ends[f] = map[string]bool{}
		}
		ends[f][end] = true
	}
	shown := map[string]map[string]bool{}
	titles := map[string]string{}
	zones := map[string]string{}
	var keys []string
	for i := range d.Lines {
		f, end := of(&d.Lines[i])
		if !meant(&f) || len(ends[f]) <= maxFan {
			continue
		}
		key, title := called(&f)
		key += " " + f.zone
		if shown[key] == nil {
			shown[key], titles[key], zones[key] = map[string]bool{}, cmp.Or(title, "%d boxes"), f.zone
			keys = append(keys, key)
		}
		shown[key][end] = true
		redirect(&d.Lines[i], key)
	}
	for _, key := range keys {
		n := 0
		for k := range shown[key] {
			n += max(1, d.box(k).more)
		}
		d.Boxes = append(d.Boxes, Box{
			Key: key, Zone: zones[key], Kind: Component, Title: fmt.Sprintf(titles[key], n), Sub: []string{"the table has each of them"}, Counts: map[string]int{},
		})
	}
	d.index()
}

// index finds boxes by their keys.
func (d *Drawing) index() {
	d.at = map[string]int{}
	for i := range d.Boxes {
		d.at[d.Boxes[i].Key] = i
	}
}

func (d *Drawing) box(key string) *Box { return &d.Boxes[d.at[key]] }

// unused takes boxes away about which there is nothing to say: no line, no finding.
func (d *Drawing) unused() {
	touched := d.touched()
	d.Boxes = slices.DeleteFunc(d.Boxes, func(b Box) bool {
		if touched[b.Key] || len(b.Counts) > 0 || strings.HasPrefix(b.Key, "goal ") {
			return false
		}
		node := d.Model.Node(b.Key)
		return b.Kind == Store || node != nil && (node.Part == finding.PartService || node.Part == finding.PartAccount)
	})
	d.index()
}

// merge makes one line of those that differ in the label alone.
func (d *Drawing) merge() {
	type id struct {
		from, to string
		kind     FlowKind
		verdict  Verdict
	}
	at := map[id]int{}
	var out []Line
	for i := range d.Lines {
		l := d.Lines[i]
		if l.From == l.To {
			continue
		}
		key := id{l.From, l.To, l.Kind, l.Verdict}
		j, ok := at[key]
		if !ok {
			at[key] = len(out)
			out = append(out, l)
			continue
		}
		out[j].Flows = append(out[j].Flows, l.Flows...)
		for _, s := range l.Labels {
			if !slices.Contains(out[j].Labels, s) {
				out[j].Labels = append(out[j].Labels, s)
			}
		}
	}
	d.Lines = out
}

// Label is what is written at a line, in at most n characters or a few more: ports of one protocol together.
func (l *Line) Label(n int) string {
	text, last := "", ""
	for i, s := range l.Labels {
		proto, port, ok := strings.Cut(s, " ")
		if ok && proto == last && l.Kind == ByNetwork {
			s = port
		}
		next := strings.TrimPrefix(text+", "+s, ", ")
		if rest := len(l.Labels) - i; i > 0 && (i >= maxLabels || width(next) > n-4) {
			return fmt.Sprintf("%s +%d", shorten(text, n-4), rest)
		}
		text, last = next, proto
	}
	return shorten(text, n)
}

// Lines are what is written in a box.
func (b *Box) Lines() []string {
	list := slices.DeleteFunc(slices.Clone(b.Sub), func(s string) bool { return s == "" })
	if b.unsaid > 0 {
		list = append(list, fmt.Sprintf("and %d more", b.unsaid))
	}
	return list
}

// Found says in words what was found about a box.
func (b *Box) Found() string {
	var parts []string
	for _, s := range finding.Severities {
		if n := b.Counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	if len(parts) == 0 && b.Open {
		return "not all is decided"
	}
	if len(parts) > 2 {
		parts = append(parts[:2], "…")
	}
	return strings.Join(parts, ", ")
}
