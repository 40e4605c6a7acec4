package reports

import (
	"fmt"
	"strings"

	"github.com/clipperhouse/displaywidth"

	"github.com/ringfence/ringfence/finding"
)

// unknown writes what could not be decided, the checks of one reason together.
func (p *page) unknown(r *finding.Report) {
	by, whole, order, n, accepted, failed := map[string][]string{}, map[string]string{}, []string{}, 0, 0, 0
	for i := range r.Results {
		e := entry{r: r, res: &r.Results[i], open: leavesOpen(&r.Results[i])}
		if e.status() != finding.Unknown {
			continue
		}
		name, why := e.res.ID, e.message()
		switch {
		case e.res.Status == finding.Fail:
			failed++
		case e.res.Waiver.Holds():
			name += " (accepted)"
			accepted++
			n++
		default:
			n++
		}
		key := p.shown(why)
		if by[key] == nil {
			order = append(order, key)
		}
		if len(why) > len(whole[key]) {
			whole[key] = why
		}
		by[key] = append(by[key], name)
	}
	if n+failed == 0 {
		return
	}
	p.line("")
	title := fmt.Sprintf("UNKNOWN  %d, which neither passed nor failed", n)
	if accepted > 0 {
		title += fmt.Sprintf("; %d accepted so", accepted)
	}
	if failed > 0 {
		title += fmt.Sprintf("; %d failed, and did not see or decide all", failed)
	}
	p.wrapped("", title, colors["medium"])
	for _, key := range order {
		text, names := Clean(whole[key], false), Clean(strings.Join(by[key], ", "), false)
		switch {
		case p.o.Verbose:
			p.wrapped(" ", text, "")
			p.wrapped("   ", names, dim)
		case p.o.Width-3-displaywidth.String(names) >= leastSeen:
			p.ends(" ", p.short(text, p.o.Width-3-displaywidth.String(names)), "", names, dim)
		default:
			p.line(" " + p.short(text, p.o.Width-1))
			p.line("   " + p.paint(dim, p.short(names, p.o.Width-3)))
		}
	}
}

// shown is as much of a reason as a line has: those that begin alike would be the same line again.
func (p *page) shown(why string) string {
	if text := Clean(why, false); !p.o.Verbose && displaywidth.String(text) > p.o.Width-1 {
		return wrap(text, max(p.o.Width-1, leastSeen)-2)[0]
	}
	return why
}
