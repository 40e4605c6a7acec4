package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/audit"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/remedy"
)

// GroupSchema names the format of the plans of a group of hosts.
const GroupSchema = "ringfence.plans/v1"

// Group is the plans of hosts that are to have one baseline: what all of them get, what each gets besides, and in which order they are fixed.
type Group struct {
	Schema string `json:"schema"` // always ringfence.plans/v1
	Mode   string `json:"mode"`   // targeted or default-deny
	// Common are the lines of the rulesets that every host gets.
	Common []string `json:"common"`
	// Hosts stand in the order in which they are fixed, those first of which the least is lost if it goes wrong. The first is the canary. Those
	// for which there is no plan come last: they are not fixed.
	Hosts []GroupHost `json:"hosts"`
}

// GroupHost is one host of a group.
type GroupHost struct {
	Name string `json:"name"` // as the host calls itself
	File string `json:"file"` // that the snapshot is in
	// Unplanned is why there is no plan to load.
	Unplanned string `json:"unplanned,omitempty"`
	Closes    int    `json:"closes"` // findings that the rules close
	// Only are lines of its ruleset that not every host gets, and Lacks those that most others get and it does not.
	Only  []string `json:"only"`
	Lacks []string `json:"lacks"` // lines that most others get, and it does not
	// Ends are the flows in use that its rules would end.
	Ends     []string     `json:"ends"`
	Open     int          `json:"open"`     // questions that its report leaves open
	Warnings []string     `json:"warnings"` // what to know before it is loaded
	Plan     *remedy.Plan `json:"plan,omitempty"`

	lines []string
}

// IsGroup says whether an argument stands for the snapshots of several hosts.
func IsGroup(arg string) bool { return arg != "" && arg != "-" && !host.IsOne(arg) }

// Plans makes the plans of the hosts whose snapshots an argument stands for, by the same configuration and options. A snapshot decides what is
// changed: each is trusted as the configuration is.
func Plans(ctx context.Context, in *audit.Input, src audit.Source, opt remedy.Options) (*Group, error) {
	if len(src.Imports) > 0 {
		return nil, errors.New("--import is about one host")
	}
	files, err := host.Named(src.SnapshotFile, func(name string) bool { return isSnapshot(name) && !isLines(name) })
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	src.Trusted, src.SnapshotFile = true, files[0]
	m, err := in.Load(ctx, &src)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	g := &Group{Schema: GroupSchema, Mode: cmp.Or(opt.Mode, remedy.Targeted)}
	names := map[string]string{}
	for i, file := range files {
		s := m.Snapshot
		if i > 0 {
			if s, err = in.TrustedSnapshot(file); err != nil {
				return nil, err
			}
		}
		key := s.Host.Name + "\x00" + s.Host.MachineID
		if other := names[key]; other != "" {
			return nil, fmt.Errorf("%s and %s are of one host: leave the older one out", other, file)
		}
		names[key] = file
		p, err := m.Plan(ctx, s, opt)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		g.add(s.Host.Name, file, p, err)
	}
	g.compare()
	return g, nil
}

// add adds a host.
func (g *Group) add(name, file string, p *remedy.Plan, err error) {
	h := GroupHost{Name: name, File: file, Only: []string{}, Lacks: []string{}, Ends: []string{}, Warnings: []string{}}
	switch {
	case err != nil:
		h.Unplanned = err.Error()
	case p.Unread != "":
		h.Unplanned = "the rules that are loaded are not known: " + p.Unread
	case p.Ruleset == "":
		h.Unplanned = "no rule is needed"
	}
	if p != nil {
		h.Plan, h.Closes, h.Open = p, len(p.Closes), len(p.Open)
		h.Warnings = append(h.Warnings, p.Warnings...)
		for i := range p.Ends {
			h.Ends = append(h.Ends, p.Ends[i].String())
		}
		h.lines = ruleLines(p.Ruleset)
	}
	g.Hosts = append(g.Hosts, h)
}

// ruleLines are the rules of a ruleset with the chains that they are in. Sets are called by what is in them: their names are made of that, and
// would make every rule of another host another one.
func ruleLines(ruleset string) (list []string) {
	var sets []string
	set, block := "", []string{}
	for l := range strings.Lines(ruleset) {
		l = strings.TrimSpace(l)
		switch {
		case strings.HasSuffix(l, "{"):
			block = append(block, strings.TrimSpace(strings.TrimSuffix(l, "{")))
			set, _ = strings.CutPrefix(block[len(block)-1], "set ")
			if set == block[len(block)-1] {
				set = ""
			}
			continue
		case l == "}":
			block, set = block[:max(0, len(block)-1)], ""
			continue
		case set != "":
			if elements, ok := strings.CutPrefix(l, "elements = "); ok {
				sets = append(sets, "@"+set, elements)
			}
			continue
		}
		if len(block) < 2 || !strings.HasPrefix(block[len(block)-1], "chain ") {
			continue
		}
		l = strings.TrimPrefix(block[len(block)-1], "chain ") + ": " + strings.NewReplacer(sets...).Replace(l)
		if !slices.Contains(list, l) {
			list = append(list, l)
		}
	}
	return list
}

// compare finds what is common, lists what differs, and puts the hosts in order.
func (g *Group) compare() {
	count, planned := map[string]int{}, 0
	for i := range g.Hosts {
		if g.Hosts[i].Unplanned == "" {
			planned++
			for _, l := range g.Hosts[i].lines {
				count[l]++
			}
		}
	}
	g.Common = []string{}
	var most []string
	for i := range g.Hosts {
		for _, l := range g.Hosts[i].lines {
			if count[l] == planned && !slices.Contains(g.Common, l) {
				g.Common = append(g.Common, l)
			}
			if count[l] < planned && count[l]*2 > planned && !slices.Contains(most, l) {
				most = append(most, l)
			}
		}
	}
	for i := range g.Hosts {
		h := &g.Hosts[i]
		if h.Unplanned != "" {
			continue
		}
		for _, l := range h.lines {
			if count[l] < planned {
				h.Only = append(h.Only, l)
			}
		}
		for _, l := range most {
			if !slices.Contains(h.lines, l) {
				h.Lacks = append(h.Lacks, l)
			}
		}
	}
	slices.SortStableFunc(g.Hosts, func(a, b GroupHost) int {
		return cmp.Or(
			cmp.Compare(min(len(a.Unplanned), 1), min(len(b.Unplanned), 1)), cmp.Compare(len(a.Ends), len(b.Ends)),
			cmp.Compare(len(a.Warnings)+a.Open, len(b.Warnings)+b.Open), strings.Compare(a.Name, b.Name),
		)
	})
}

// Text is the group for people. Clean makes text of hosts safe.
func (g *Group) Text(clean func(text string, breaks bool) string) string {
	var b strings.Builder
	list := func(title string, lines []string) {
		if len(lines) > 0 {
			fmt.Fprintf(&b, "  %s:\n", title)
		}
		for _, l := range lines {
			fmt.Fprintf(&b, "    %s\n", clean(l, false))
		}
	}
	fmt.Fprintf(&b, "%s, %s. ", number(len(g.Hosts), "host"), g.Mode)
	if len(g.Hosts) > 0 && g.Hosts[0].Unplanned != "" { // those without a plan come last
		b.WriteString("There is no fix for any:\n\n")
	} else {
		b.WriteString("In this order, each only if the one before went well:\n\n")
	}
	for i := range g.Hosts {
		h := &g.Hosts[i]
		if h.Unplanned != "" {
			fmt.Fprintf(&b, " -  %s (%s): no fix: %s\n", clean(h.Name, false), clean(h.File, false), clean(h.Unplanned, false))
			continue
		}
		role := ""
		if i == 0 {
			role = ", the canary"
		}
		fmt.Fprintf(&b, "%2d  %s (%s)%s: closes %s, ends %s in use\n", i+1, clean(h.Name, false), clean(h.File, false), role, number(h.Closes, "finding"), number(len(h.Ends), "flow"))
		list("besides what all get", h.Only)
		list("most others also get", h.Lacks)
		list("ends", h.Ends)
		list("think of", h.Warnings)
	}
	if len(g.Common) > 0 {
		b.WriteString("\nWhat all get:\n")
	}
	for _, l := range g.Common {
		fmt.Fprintf(&b, "    %s\n", clean(l, false))
	}
	b.WriteString("\nNothing was changed. On each host: ringfence fix apply with the same options; docs/engines.md has a playbook that keeps to an order and stops.\n")
	return b.String()
}

// number is a number with its word.
func number(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}
