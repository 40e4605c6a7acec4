package threatmodel

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ringfence/ringfence/escape"
)

// Measures of the picture, in its own units, which are pixels at full size.
const (
	pictureWidth = 1250
	boxLine      = 15 // height of a line of text
	boxGap       = 14 // between boxes
	portGap      = 17 // between the ends of lines at a box
	zoneHead     = 30 // for the title of a zone
	channelGap   = 17 // between lines that pass above the host
)

// column is where a zone is drawn: its boundary, and the boxes in it.
type column struct{ x, width, boxX, boxWidth int }

var (
	leftColumn  = column{8, 182, 18, 162}
	hostColumn  = column{430, 266, 446, 234}
	rightColumn = column{1022, 220, 1032, 200}
)

// columnOf is where the boxes of a zone are.
func columnOf(zone string) column {
	switch zone {
	case External, Management:
		return leftColumn
	case Workload:
		return rightColumn
	default:
		return hostColumn
	}
}

// Where labels and turns of lines are in the gutters.
const (
	leftTurns, leftTurnsEnd   = 256, 318 // between the labels beside the left column and those beside the host
	rightTurns, rightTurnsEnd = 830, 890 // between the labels beside the host and those beside the workloads
	labelGap                  = 14
	labelWidth                = 18 // characters, of 6 pixels
	titleWidth                = 30 // characters
)

// placed is a box with its place.
type placed struct {
	Box         *Box
	X, Y, W, H  int
	left, right []int // lines that end at its sides
	leftY       map[int]int
	rightY      map[int]int
}

// route is a line with its way.
type route struct {
	Line                   *Line
	Points                 []point
	LabelX, LabelY         int
	Label                  string
	Anchor                 string // start, end
	fromLeft, toLeft, over bool
}

type point struct{ X, Y int }

// area is the boundary of a zone.
type area struct {
	Title      string
	Note       string
	X, Y, W, H int
}

// layout is a drawing with all places.
type layout struct {
	Width, Height int
	Areas         []area
	Boxes         []placed
	Routes        []route

	d  *Drawing
	at map[string]int
}

// arrange gives everything its place.
func (d *Drawing) arrange() *layout {
	l := &layout{Width: pictureWidth, d: d, at: map[string]int{}}
	for i := range d.Lines {
		l.Routes = append(l.Routes, l.sides(&d.Lines[i]))
	}
	l.order()
	over := 0
	for i := range l.Routes {
		if l.Routes[i].over {
			over++
		}
	}
	l.place(10 + over*channelGap)
	l.ports()
	l.routes()
	return l
}

// sides decides on which side of its boxes a line begins and ends, and whether it passes above the host.
func (l *layout) sides(line *Line) route {
	from, to := columnOf(l.d.box(line.From).Zone), columnOf(l.d.box(line.To).Zone)
	r := route{Line: line, fromLeft: from == rightColumn, toLeft: to == rightColumn || from == leftColumn && to == hostColumn}
	r.over = from == leftColumn && to == rightColumn || from == rightColumn && to == leftColumn
	return r
}

// order lays the boxes of each column out so that few lines cross: by the mean place of what they are connected with, twice.
func (l *layout) order() {
	columns := map[column][]string{}
	for i := range l.d.Boxes {
		b := &l.d.Boxes[i]
		columns[columnOf(b.Zone)] = append(columns[columnOf(b.Zone)], b.Key)
	}
	row := map[string]int{}
	number := func(c column) {
		for i, k := range columns[c] {
			row[k] = i
		}
	}
	for _, c := range []column{leftColumn, hostColumn, rightColumn} {
		number(c)
	}
	for range 2 {
		for _, c := range []column{hostColumn, rightColumn} {
			mean := l.means(row, c)
			slices.SortStableFunc(columns[c], func(a, b string) int {
				x, y := l.d.box(a), l.d.box(b)
				return cmp.Or(slices.Index(order, x.Zone)-slices.Index(order, y.Zone), first(x)-first(y), cmp.Compare(mean[a], mean[b]))
			})
			number(c)
		}
	}
	for _, c := range []column{leftColumn, hostColumn, rightColumn} {
		for _, k := range columns[c] {
			l.at[k] = len(l.Boxes)
			l.Boxes = append(l.Boxes, placed{Box: l.d.box(k), leftY: map[int]int{}, rightY: map[int]int{}})
		}
	}
	for i := range l.Routes {
		r := &l.Routes[i]
		l.end(r.Line.From, r.fromLeft, i)
		l.end(r.Line.To, r.toLeft, i)
	}
}

// first puts whoever sends packets above the others of a zone, and what is to be defended below.
func first(b *Box) int {
	switch {
	case strings.HasPrefix(b.Key, "more "):
		return 2
	case strings.HasPrefix(b.Key, "goal "):
		return 1
	case b.pinned():
		return -1
	default:
		return 0
	}
}

// means are the mean rows of what each box of a column is connected with; one without lines is behind the others.
func (l *layout) means(row map[string]int, c column) map[string]float64 {
	sum, n := map[string]float64{}, map[string]float64{}
	for i := range l.d.Lines {
		for _, end := range [][2]string{{l.d.Lines[i].From, l.d.Lines[i].To}, {l.d.Lines[i].To, l.d.Lines[i].From}} {
			if columnOf(l.d.box(end[0]).Zone) == c {
				sum[end[0]] += float64(row[end[1]])
				n[end[0]]++
			}
		}
	}
	mean := map[string]float64{}
	for k := range row {
		if mean[k] = 1000; n[k] > 0 {
			mean[k] = sum[k] / n[k]
		}
	}
	return mean
}

func (l *layout) end(box string, left bool, route int) {
	p := &l.Boxes[l.at[box]]
	if left {
		p.left = append(p.left, route)
	} else {
		p.right = append(p.right, route)
	}
}

// place puts the boxes below each other and the boundaries around them. A zone in which nothing was seen has its boundary too.
func (l *layout) place(top int) {
	y := map[column]int{leftColumn: top, hostColumn: top, rightColumn: top}
	l.Areas = make([]area, 0, len(order))
	host := 0
	for _, zone := range order {
		c := columnOf(zone)
		a := area{Title: l.d.Model.Zone(zone).Title, X: c.x, Y: y[c], W: c.width}
		switch zone {
		case Host:
			host = len(l.Areas)
		case Management:
			y[c] += boxGap * 2
			a.Y = y[c]
		case Runtime:
			y[c] += boxGap
			a.X, a.W, a.Y = c.x+8, c.width-16, y[c]
		default:
		}
		y[c] += zoneHead
		seen := false
		for i := range l.Boxes {
			if p := &l.Boxes[i]; p.Box.Zone == zone {
				seen = true
				p.X, p.Y, p.W = c.boxX, y[c], c.boxWidth
				p.H = max(p.Box.rows()*boxLine+12, max(len(p.left), len(p.right))*portGap+8)
				y[c] += p.H + boxGap
			}
		}
		if !seen {
			a.Note = "nothing seen"
			y[c] += boxGap * 2
		}
		a.H = y[c] - a.Y
		l.Areas = append(l.Areas, a)
	}
	l.Areas[host].H = y[hostColumn] + boxGap - l.Areas[host].Y
	for _, bottom := range y {
		l.Height = max(l.Height, bottom+boxGap*3)
	}
}

// rows is how many lines of text are in a box.
func (b *Box) rows() int {
	n := 1 + len(b.Lines())
	if b.Found() != "" {
		n++
	}
	return n
}

// ports gives each end of a line its height at the side of a box, in the order of the other ends.
func (l *layout) ports() {
	other := func(box *placed, route int) int {
		r := &l.Routes[route]
		key := r.Line.From
		if key == box.Box.Key {
			key = r.Line.To
		}
		return l.Boxes[l.at[key]].Y
	}
	for i := range l.Boxes {
		p := &l.Boxes[i]
		for _, side := range []struct {
			list []int
			y    map[int]int
		}{{p.left, p.leftY}, {p.right, p.rightY}} {
			slices.SortStableFunc(side.list, func(a, b int) int { return other(p, a) - other(p, b) })
			first := p.Y + p.H/2 - (len(side.list)-1)*portGap/2
			for n, route := range side.list {
				side.y[route] = first + n*portGap
			}
		}
	}
}

// routes leads each line: across, along a turn of its own, and across.
func (l *layout) routes() {
	turns := map[bool]int{} // of the left gutter and the right one
	count := map[bool]int{}
	for i := range l.Routes {
		r := &l.Routes[i]
		count[l.leftGutter(r)]++
		if r.over {
			count[!l.leftGutter(r)]++
		}
	}
	turn := func(left bool) int {
		first, last := rightTurns, rightTurnsEnd
		if left {
			first, last = leftTurns, leftTurnsEnd
		}
		x := first + (last-first)*turns[left]/max(1, count[left]-1)
		turns[left]++
		return min(x, last)
	}
	channel := 10 + channelGap/2
	for i := range l.Routes {
		r := &l.Routes[i]
		from, to := &l.Boxes[l.at[r.Line.From]], &l.Boxes[l.at[r.Line.To]]
		start, end := point{from.X + from.W, from.rightY[i]}, point{to.X + to.W, to.rightY[i]}
		if r.fromLeft {
			start = point{from.X, from.leftY[i]}
		}
		if r.toLeft {
			end = point{to.X, to.leftY[i]}
		}
		if r.over {
			first, second := turn(start.X < hostColumn.x), turn(start.X > hostColumn.x)
			r.Points = []point{start, {first, start.Y}, {first, channel}, {second, channel}, {second, end.Y}, end}
			channel += channelGap
		} else {
			x := turn(l.leftGutter(r))
			r.Points = []point{start, {x, start.Y}, {x, end.Y}, end}
		}
		r.LabelX, r.LabelY, r.Anchor = end.X+labelGap, end.Y-3, "start"
		if r.toLeft {
			r.LabelX, r.Anchor = end.X-labelGap, "end"
		}
		r.Label = arrows[r.Line.Verdict].mark + r.Line.Label(labelWidth)
	}
}

func (l *layout) leftGutter(r *route) bool { return columnOf(l.d.box(r.Line.From).Zone) == leftColumn }

// shorten is text that can be shown in at most that many characters.
func shorten(s string, n int) string {
	s = escape.Text(strings.ToValidUTF8(s, "\uFFFD"), false)
	if width(s) <= n {
		return s
	}
	var b strings.Builder
	left := n - 1
	for _, r := range s {
		if left -= wide(r); left < 0 {
			break
		}
		b.WriteRune(r)
	}
	return b.String() + "…"
}

// width is how many places a text takes; letters of East Asia and pictures take two.
func width(s string) (n int) {
	if len(s) == utf8.RuneCountInString(s) {
		return len(s)
	}
	for _, r := range s {
		n += wide(r)
	}
	return n
}

func wide(r rune) int {
	if r >= 0x1100 && r != '…' && (r < 0x2000 || r >= 0x2e80) {
		return 2
	}
	return 1
}
