package reports

import (
	"fmt"
	"strings"

	"github.com/ringfence/ringfence/finding"
)

// validities are the validities of assumptions in the order in which they are told: what is refuted comes first.
var validities = []string{finding.Rejected, finding.Unconfirmed, finding.Confirmed}

// AssumptionsText tells what came of each assumption, those that are rejected first, with what keeps it from being confirmed. With all of it each
// claim is told with its evidence.
func AssumptionsText(r *finding.Report, all bool) string {
	var b strings.Builder
	for _, v := range validities {
		list := having(r.Assumptions, v)
		if len(list) == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s  %d\n", strings.ToUpper(v), len(list))
		for _, a := range list {
			assumptionText(&b, r, a, all)
		}
	}
	return b.String()
}

func having(list []finding.Assumption, validity string) (out []*finding.Assumption) {
	for i := range list {
		if list[i].Validity == validity {
			out = append(out, &list[i])
		}
	}
	return out
}

func assumptionText(b *strings.Builder, r *finding.Report, a *finding.Assumption, all bool) {
	line := func(indent int, format string, args ...any) {
		fmt.Fprintf(b, "%s%s\n", strings.Repeat(" ", indent), fmt.Sprintf(format, Cleaned(args)...))
	}
	line(1, "%s: %s", a.ID, a.Statement)
	if a.Owner != "" || a.Review != "" {
		line(3, "%s", strings.TrimPrefix(strings.TrimSuffix(fmt.Sprintf("%s, to be reviewed by %s", a.Owner, a.Review), ", to be reviewed by "), ", "))
	}
	for _, why := range a.Because {
		line(3, "%s", why)
	}
	if a.Validity == finding.Rejected {
		for _, threat := range a.IfFalse {
			line(3, "comes back: %s", threat)
		}
	}
	if rests := restingOn(r, a.ID); len(rests) > 0 {
		line(3, "checks that pass only while it holds: %s", strings.Join(rests, ", "))
	}
	if !all {
		return
	}
	for i := range a.Claims {
		c := &a.Claims[i]
		line(3, "%s: %s", c.Validity, c.Says)
		for j := range c.Grounds {
			g := &c.Grounds[j]
			line(5, "%s %s: %s", g.Kind, g.What, g.Validity)
			for _, e := range g.Evidence {
				line(7, "%s", e)
			}
			if g.Because != "" {
				line(7, "%s", g.Because)
			}
		}
	}
}

// restingOn are the checks that pass, or would pass, under an assumption.
func restingOn(r *finding.Report, id string) (list []string) {
	for i := range r.Results {
		for _, u := range r.Results[i].Under {
			if u.ID == id {
				list = append(list, r.Results[i].ID)
			}
		}
	}
	return list
}

// assumed are the checks that pass under assumptions, each with under which.
func assumed(r *finding.Report) (list []string) {
	for i := range r.Results {
		if res := &r.Results[i]; res.Status == finding.Pass && len(res.Under) > 0 {
			list = append(list, res.ID+" passes "+res.Reason)
		}
	}
	return list
}

// maxReasons is how many reasons of an assumption the page has.
const maxReasons = 2

// assumptions writes how many assumptions came out how, and those of a register that are not confirmed.
func (p *page) assumptions(r *finding.Report) {
	if len(r.Assumptions) == 0 {
		return
	}
	var counts []string
	for _, v := range validities {
		if n := len(having(r.Assumptions, v)); n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, v))
		}
	}
	p.line("")
	p.ends("", "ASSUMPTIONS  "+strings.Join(counts, ", "), bold, "ringfence assume tells them", dim)
	for _, text := range assumed(r) {
		p.wrapped(" ", Clean(text, false), "")
	}
	for _, v := range validities[:2] {
		for _, a := range having(r.Assumptions, v) {
			if a.Shipped && !p.o.Verbose {
				continue
			}
			p.ends(" ", Clean(v+": "+a.Statement, false), "", Clean(a.ID, false), dim)
			for _, why := range a.Because[:min(len(a.Because), maxReasons)] {
				p.wrapped("   ", Clean(why, false), dim)
			}
			if a.Owner != "" {
				p.wrapped("   ", Clean("answers for it: "+a.Owner, false), dim)
			}
		}
	}
}
