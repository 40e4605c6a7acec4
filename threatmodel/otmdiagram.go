package threatmodel

// What a tool that draws needs: Threat Dragon takes no file without a diagram, and IriusRisk lays one out itself.
type (
	otmDrawing struct {
		ID   string  `json:"id"`
		Name string  `json:"name"`
		Type string  `json:"type"`
		Size otmSize `json:"size"`
	}
	// otmPlace is where something is drawn, from the corner of its parent.
	otmPlace struct {
		Drawing string   `json:"representation"`
		ID      string   `json:"id"`
		At      otmPoint `json:"position"`
		Size    otmSize  `json:"size"`
	}
	otmSize struct {
		Width  int `json:"width"`
		Height int `json:"height"`
	}
	otmPoint struct {
		X int `json:"x"`
		Y int `json:"y"`
	}
)

// Measures of the drawing, in pixels: a cell with its gap, what a part is drawn further right than what it is a part of, and what is left around cells.
const (
	otmDiagram  = "diagram"
	otmWidth    = 180
	otmHeight   = 60
	otmAcross   = 340
	otmDown     = 90
	otmIndent   = 30
	otmMargin   = 40
	otmBetween  = 220 // zones: what flows are called is read there
	otmCells    = 20  // in a column
	otmPartDeep = 4   // what is a part of a part of a part
)

// shape ends the id of a place: by it Threat Dragon knows what to draw (it looks for "service" and "database").
var shape = map[NodeKind]string{Component: "-service", Store: "-database", Actor: "-actor"}

// draw gives each zone and component a place: the zones beside each other, one in another below the components of that, a component above its parts.
func (o *otm) draw(kinds map[string]NodeKind) {
	in := map[otmParent][]int{}
	for i := range o.Components {
		in[o.Components[i].Parent] = append(in[o.Components[i].Parent], i)
	}
	x, height := 0, 0
	for i := range o.Zones {
		if o.Zones[i].Parent == nil {
			size := o.zone(&o.Zones[i], otmPoint{x, 0}, in, kinds)
			x, height = x+size.Width+otmBetween, max(height, size.Height)
		}
	}
	o.Drawings = []otmDrawing{{otmDiagram, "Data flows of the host", "diagram", otmSize{x, height}}}
}

// zone places a zone, and what is in it.
func (o *otm) zone(z *otmZone, at otmPoint, in map[otmParent][]int, kinds map[string]NodeKind) otmSize {
	size, column, row := otmSize{otmWidth + 2*otmMargin, otmHeight + 2*otmMargin}, 0, 0
	for _, i := range in[otmParent{Zone: z.ID}] {
		if row >= otmCells {
			column, row = column+1, 0
		}
		row += o.component(i, otmPoint{otmMargin + column*otmAcross, otmMargin + row*otmDown}, in, kinds, otmPartDeep)
		size = otmSize{max(size.Width, 2*otmMargin+column*otmAcross+otmWidth+otmPartDeep*otmIndent), max(size.Height, 2*otmMargin+row*otmDown)}
	}
	for i := range o.Zones {
		if inner := &o.Zones[i]; inner.Parent != nil && inner.Parent.Zone == z.ID && inner.ID != z.ID {
			got := o.zone(inner, otmPoint{otmMargin, size.Height}, in, kinds)
			size = otmSize{max(size.Width, got.Width+2*otmMargin), size.Height + got.Height + otmMargin}
		}
	}
	z.Places = []otmPlace{{otmDiagram, z.ID + "-boundary", at, size}}
	return size
}

// component places a component and its parts below it, and says how many rows they take.
func (o *otm) component(i int, at otmPoint, in map[otmParent][]int, kinds map[string]NodeKind, deep int) int {
	c, rows := &o.Components[i], 1
	c.Places = []otmPlace{{otmDiagram, c.ID + shape[kinds[c.ID]], at, otmSize{otmWidth, otmHeight}}}
	if deep == 0 {
		return rows
	}
	for _, k := range in[otmParent{Component: c.ID}] {
		rows += o.component(k, otmPoint{otmIndent, rows * otmDown}, in, kinds, deep-1)
	}
	return rows
}
