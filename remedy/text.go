package remedy

import (
	"fmt"
	"slices"
	"strings"
)

// text prints the tables in nft's syntax of version 1.0, as one transaction that also replaces earlier ones of ours.
func (p *Plan) text() string {
	var b strings.Builder
	for _, f := range p.families() {
		fmt.Fprintf(&b, "table %s %s\ndelete table %[1]s %[2]s\n", f, Table)
	}
	b.WriteString(p.tableText())
	return b.String()
}

// inverse removes the tables.
func (p *Plan) inverse() string {
	var b strings.Builder
	for _, f := range p.families() {
		fmt.Fprintf(&b, "delete table %s %s\n", f, Table)
	}
	return b.String()
}

func (p *Plan) tableText() string {
	var b strings.Builder
	for _, family := range p.families() {
		fmt.Fprintf(&b, "table %s %s {\n", family, Table)
		for _, s := range p.sets(family) {
			b.WriteString(s.text())
		}
		for _, c := range specs {
			if c.family != family || !p.uses(c.name) {
				continue
			}
			fmt.Fprintf(&b, "\tchain %s {\n\t\ttype filter hook %s priority %s; policy %s;\n", c.name, c.hook, c.priority, p.policy(c.name))
			for i := range p.Rules {
				if p.Rules[i].Chain == c.name {
					fmt.Fprintf(&b, "\t\t%s\n", p.Rules[i].String())
				}
			}
			b.WriteString("\t}\n")
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// Against is the plan's table as a difference to that of an earlier plan, or of none: lines that go and lines
// that come, in the order of the tables.
func (p *Plan) Against(old *Plan) string {
	lines := func(q *Plan) []string {
		if q == nil || len(q.Rules) == 0 {
			return nil
		}
		return strings.SplitAfter(strings.TrimSuffix(q.tableText(), "\n"), "\n")
	}
	was, is := lines(old), lines(p)
	var b strings.Builder
	mark := func(sign string, list, other []string) {
		for _, l := range list {
			if !slices.Contains(other, l) {
				b.WriteString(sign + strings.TrimSuffix(l, "\n") + "\n")
			}
		}
	}
	mark("-", was, is)
	mark("+", is, was)
	return b.String()
}

func (p *Plan) uses(chain string) bool {
	return slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Chain == chain })
}

// policy is what becomes of packets that no rule of a chain decides.
func (p *Plan) policy(chain string) string {
	if p.Mode == DefaultDeny && (chain == chainInput || chain == chainForward) {
		return "drop"
	}
	return "accept"
}

// quote writes a string for nft, which knows no escapes: names of interfaces are plain ones (plainInterface), and comments have
// neither quotation marks nor line ends.
func quote(s string) string { return `"` + s + `"` }
