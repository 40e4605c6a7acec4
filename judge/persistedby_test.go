package judge

import (
	"context"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestWhatOtherServicesSaved: of iptables what runtimes make is left out on both sides, of ufw the chains count that its files fill, of firewalld the
// order says nothing, and zones that are not in force do not count.
func TestWhatOtherServicesSaved(t *testing.T) {
	to := func(kind, chain string) ruleset.Rule {
		return ruleset.Rule{Exprs: []ruleset.Expr{{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: kind, Chain: chain}}}}}
	}
	accept, drop := to(ruleset.Accept, ""), to(ruleset.Drop, "")
	bridge := ruleset.Rule{Exprs: []ruleset.Expr{
		{Name: "meta", Meta: &ruleset.Meta{Key: metaOIFName, Dreg: 1}}, {Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: ruleset.Hex("docker0\x00")}}, accept.Exprs[0],
	}}
	base := func(policy string, rules ...ruleset.Rule) ruleset.Chain {
		return ruleset.Chain{Name: "INPUT", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: policy}, Rules: rules}
	}
	chain := func(name string, rules ...ruleset.Rule) ruleset.Chain { return ruleset.Chain{Name: name, Rules: rules} }
	table := func(family, name string, chains ...ruleset.Chain) *ruleset.Ruleset {
		return &ruleset.Ruleset{Tables: []ruleset.Table{{Family: family, Name: name, Chains: chains}}}
	}
	ip := func(chains ...ruleset.Chain) *ruleset.Ruleset { return table(ruleset.FamilyIP, "filter", chains...) }
	zone := func(chains ...ruleset.Chain) *ruleset.Ruleset {
		return table(ruleset.FamilyInet, "firewalld", chains...)
	}
	for name, c := range map[string]struct {
		loader     string
		file, live *ruleset.Ruleset
		want       []string
		left       []string
	}{
		"alike":               {"netfilter-persistent.service", ip(base("drop", accept)), ip(base("drop", accept)), nil, nil},
		"opened":              {"netfilter-persistent.service", ip(base("drop", accept)), ip(base("accept", drop)), []string{"+ INPUT: drop", "- chain INPUT: policy drop", "- INPUT: accept"}, nil},
		"nothing is saved":    {"netfilter-persistent.service", new(ruleset.Ruleset), ip(base("accept", accept)), []string{"+ INPUT: accept"}, nil},
		"nothing is loaded":   {"netfilter-persistent.service", ip(base("drop")), new(ruleset.Ruleset), []string{"- chain INPUT: policy drop"}, nil},
		"what a runtime adds": {"netfilter-persistent.service", ip(base("drop")), ip(base("drop", to(ruleset.Jump, "DOCKER-USER"), bridge), chain("DOCKER", accept)), nil, nil},
		"of Fedora":           {"iptables.service", ip(base("drop")), ip(base("accept")), []string{"- chain INPUT: policy drop"}, nil},
		"ufw":                 {"ufw.service", ip(base("drop"), chain("ufw-before-input", accept), chain("ufw-user-input")), ip(base("drop", to(ruleset.Jump, "ufw-before-input")), chain("ufw-before-input", accept, to(ruleset.Jump, "ufw-user-input")), chain("ufw-logging-deny", accept), chain("ufw-user-input")), nil, nil},
		"ufw, opened":         {"ufw.service", ip(base("drop"), chain("ufw-user-input")), ip(base("accept"), chain("ufw-user-input", accept)), []string{"+ chain INPUT: policy accept", "+ ufw-user-input: accept", "- chain INPUT: policy drop"}, nil},
		"ufw, opened by hand": {"ufw.service", ip(base("drop")), ip(base("drop", accept, to(ruleset.Jump, "ufw-before-input"), to(ruleset.Jump, "ufw6-track-input"), to(ruleset.Jump, "DOCKER-USER"))), []string{"+ INPUT: accept"}, nil},
		"a table more":        {"iptables.service", new(ruleset.Ruleset), ip(base("accept", accept)), []string{"+ INPUT: accept"}, nil},
		"one of another":      {"ip6tables.service", new(ruleset.Ruleset), ip(base("accept", accept)), nil, nil},
		"firewalld":           {"firewalld.service", zone(chain("filter_IN_a_allow", accept, drop), chain("filter_IN_b_allow", accept)), zone(chain("filter_IN_a_allow", drop, accept), chain("filter_INPUT", accept)), nil, nil},
		"a port at run time":  {"firewalld.service", zone(chain("filter_IN_a_allow", accept)), zone(chain("filter_IN_a_allow", accept, drop)), []string{"+ filter_IN_a_allow: drop"}, nil},
		"another form":        {"firewalld.service", zone(chain("filter_IN_a_allow", accept)), zone(chain("filter_IN_a_allow", drop)), nil, []string{"filter_IN_a_allow"}},
		"a zone that is left": {"firewalld.service", zone(), zone(chain("filter_IN_left_allow", drop)), nil, []string{"filter_IN_left_allow"}},
	} {
		s := fixtures.Host()
		s.NFTables.Ruleset = c.live
		p := snapshot.Persisted{Loader: c.loader, Read: snapshot.Fact{State: snapshot.Present}, Ruleset: c.file, Left: []string{"filter_IN_left_allow"}}
		got := newBuilder(context.Background(), s, zones.Config{}, exposure.Limits{}).persistedBy(&p)
		var lines []string
		for _, d := range got.Tables {
			lines = append(lines, d.Lines...)
		}
		if c.loader != "firewalld.service" && got.Left != nil {
			got.Left = nil
		}
		if !slices.Equal(lines, c.want) || !slices.Equal(got.Left, c.left) && len(got.Left)+len(c.left) > 0 {
			t.Errorf("%s: %q, left %q, want %q, %q", name, lines, got.Left, c.want, c.left)
		}
	}
}

// TestSavedBesideLegacyRules: rules of iptables-legacy are not compared, so nothing is said of what iptables saved.
func TestSavedBesideLegacyRules(t *testing.T) {
	s := fixtures.Host()
	s.NFTables.Legacy = map[string]snapshot.Fact{"iptables": {State: snapshot.Present, Value: "filter"}}
	p := snapshot.Persisted{Loader: "netfilter-persistent.service", Read: snapshot.Fact{State: snapshot.Present}, Ruleset: new(ruleset.Ruleset)}
	if got := newBuilder(context.Background(), s, zones.Config{}, exposure.Limits{}).persistedBy(&p); got.State != "error" || got.Reason == "" {
		t.Errorf("%+v", got)
	}
}
