package judge

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// persistedBy compares what iptables, ufw or firewalld loads at boot with what is loaded.
func (b *builder) persistedBy(p *snapshot.Persisted) DocPersisted {
	d := DocPersisted{
		State: string(p.Read.State), Reason: p.Read.Reason, File: p.File, Loader: p.Loader, Tables: []DocDrift{}, Left: []string{},
	}
	live := b.snap.NFTables.Ruleset
	if p.Ruleset == nil || live == nil {
		return d
	}
	compare := savedChains
	switch p.Loader {
	case "firewalld.service":
		for _, chain := range p.Left {
			if t := tableOf(live, &ruleset.Table{Family: ruleset.FamilyInet, Name: "firewalld"}); t != nil && chainOf(t, chain) != nil {
				d.Left = append(d.Left, chain)
			}
		}
		compare = func(file, live *ruleset.Table) []string {
			lines, left := zoneChains(file, live)
			d.Left = append(d.Left, left...)
			return lines
		}
	case "ufw.service":
		compare = ufwChains
	default:
	}
	for _, name := range []string{"iptables", "ip6tables"} {
		if b.snap.NFTables.Legacy[name].Value != "" && p.Loader != "firewalld.service" {
			d.State, d.Reason = string(snapshot.Error), "rules of iptables-legacy are loaded, and these are not compared with a file"
			return d
		}
	}
	for _, t := range tablesToCompare(p, live) {
		if lines := compare(tableOr(p.Ruleset, t), tableOr(live, t)); len(lines) > 0 {
			d.Tables = append(d.Tables, DocDrift{Table: t.Family + " " + t.Name, Lines: lines})
		}
	}
	return d
}

// savedFamilies are whose tables services of iptables-save load: a table of these that is in no file is gone after the next start.
var savedFamilies = map[string][]string{
	"netfilter-persistent.service": {ruleset.FamilyIP, ruleset.FamilyIP6},
	"iptables.service":             {ruleset.FamilyIP},
	"ip6tables.service":            {ruleset.FamilyIP6},
}

// tablesToCompare are those of the file, and of iptables-save those that are loaded too.
func tablesToCompare(p *snapshot.Persisted, live *ruleset.Ruleset) (list []*ruleset.Table) {
	for i := range p.Ruleset.Tables {
		list = append(list, &p.Ruleset.Tables[i])
	}
	for i := range live.Tables {
		if t := &live.Tables[i]; slices.Contains(savedFamilies[p.Loader], t.Family) && ofIptables(t) && tableOf(p.Ruleset, t) == nil {
			list = append(list, t)
		}
	}
	return list
}

// tableOr is the same table of another ruleset, or one that is empty.
func tableOr(rs *ruleset.Ruleset, t *ruleset.Table) *ruleset.Table {
	if o := tableOf(rs, t); o != nil {
		return o
	}
	return &ruleset.Table{Family: t.Family, Name: t.Name}
}

func chainOf(t *ruleset.Table, name string) *ruleset.Chain {
	i := slices.IndexFunc(t.Chains, func(c ruleset.Chain) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &t.Chains[i]
}

// ofRuntimes are beginnings of the names of chains that runtimes, daemons and clusters make in tables of iptables, bridgesOf of the interfaces that
// they have rules for in chains of the system.
var (
	ofRuntimes = []string{
		"DOCKER", "KUBE-", "CNI-", "LIBVIRT_", "NETAVARK", "PODMAN", "cali-", "CILIUM_", "FLANNEL", "f2b-", "ts-", "CROWDSEC", "fail2ban-", "INCUS", "LXD", "sshguard",
	}
	bridgesOf = []string{"docker", "br-", "virbr", "lxcbr", "cni", "podman", "lxdbr", "incusbr", "cali", "flannel", "cilium"}
)

func chainOfRuntime(name string) bool {
	return slices.ContainsFunc(ofRuntimes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// madeByRuntime says of a rule that it leads to a chain of a runtime, or is about an interface of one.
func madeByRuntime(r *ruleset.Rule) bool {
	named := false
	for i := range r.Exprs {
		e := &r.Exprs[i]
		switch {
		case e.Immediate != nil && e.Immediate.Verdict != nil && chainOfRuntime(e.Immediate.Verdict.Chain):
			return true
		case e.Meta != nil:
			named = e.Meta.Key == metaIIFName || e.Meta.Key == metaOIFName
		case e.Cmp != nil && named:
			if slices.ContainsFunc(bridgesOf, func(p string) bool { return bytes.HasPrefix(e.Cmp.Data, []byte(p)) }) {
				return true
			}
		default:
		}
	}
	return false
}

// The names of interfaces as meta tells them (linux/netfilter/nf_tables.h, enum nft_meta_keys).
const (
	metaIIFName = 6
	metaOIFName = 7
)

// sortedChains are the chains of a table by their names.
func sortedChains(t *ruleset.Table) []ruleset.Chain {
	list := slices.Clone(t.Chains)
	slices.SortFunc(list, func(a, b ruleset.Chain) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// ofDocker says of a table that dockerd has its chains there.
func ofDocker(t *ruleset.Table) bool {
	return slices.ContainsFunc(t.Chains, func(c ruleset.Chain) bool { return strings.HasPrefix(c.Name, "DOCKER") })
}

// savedChains compares tables of iptables: policies, and rules in their order. What runtimes make there is left out: dockerd also has FORWARD drop.
func savedChains(file, live *ruleset.Table) []string {
	docker := ofDocker(live)
	lines := func(t *ruleset.Table) (list []string) {
		for _, c := range sortedChains(t) {
			if chainOfRuntime(c.Name) {
				continue
			}
			if c.Base != nil && c.Base.Policy != ruleset.Accept && (!docker || c.Name != "FORWARD") {
				list = append(list, fmt.Sprintf("chain %s: policy %s", c.Name, c.Base.Policy))
			}
			for j := range c.Rules {
				if r := &c.Rules[j]; !madeByRuntime(r) {
					list = append(list, c.Name+": "+r.Text(t))
				}
			}
		}
		return list
	}
	return differences(lines(file), lines(live))
}

// ufwChains compares the policies of ufw, those of its chains that its files have rules for, and what else is in base chains. Other chains it fills by
// itself, and those of rate limits it fills in part when it is switched on. What runtimes make is left out: dockerd also has FORWARD drop.
func ufwChains(file, live *ruleset.Table) []string {
	docker := ofDocker(live)
	lines := func(t *ruleset.Table) (list []string) {
		for _, c := range sortedChains(file) {
			now := chainOf(t, c.Name)
			switch {
			case now == nil || c.Base == nil && len(c.Rules) == 0 && !strings.Contains(c.Name, "-user-"), strings.Contains(c.Name, "-user-limit"):
			case c.Base != nil && now.Base != nil:
				if !docker || c.Name != "FORWARD" {
					list = append(list, fmt.Sprintf("chain %s: policy %s", c.Name, now.Base.Policy))
				}
				for j := range now.Rules {
					if r := &now.Rules[j]; !toUfw(r) && !madeByRuntime(r) {
						list = append(list, c.Name+": "+r.Text(t))
					}
				}
			default:
				for j := range now.Rules {
					if !toUserChain(&now.Rules[j]) {
						list = append(list, c.Name+": "+now.Rules[j].Text(t))
					}
				}
			}
		}
		return list
	}
	return differences(lines(file), lines(live))
}

// toUserChain says of a rule that it leads to the chain of the administrator's rules: ufw adds it by itself.
func toUserChain(r *ruleset.Rule) bool {
	to := leadsToChain(r)
	return to == "ufw-user-input" || to == "ufw-user-output" || to == "ufw-user-forward"
}

// toUfw says of a rule that it leads to a chain of ufw: those of base chains it adds by itself.
func toUfw(r *ruleset.Rule) bool { return strings.HasPrefix(leadsToChain(r), "ufw-") }

// leadsToChain is the chain that a rule leads to, of ufw by its name for IPv4; empty for none.
func leadsToChain(r *ruleset.Rule) (to string) {
	for i := range r.Exprs {
		if e := &r.Exprs[i]; e.Immediate != nil && e.Immediate.Verdict != nil {
			to = strings.Replace(e.Immediate.Verdict.Chain, "ufw6-", "ufw-", 1)
		}
	}
	return to
}

// zoneChains compares what zones of firewalld open, of those that are in force. The order of rules that accept says nothing. Rules of another version
// have another form: a chain in which none is as the files make them is left.
func zoneChains(file, live *ruleset.Table) (lines, left []string) {
	var was, now []string
	for _, c := range sortedChains(file) {
		there := chainOf(live, c.Name)
		if there == nil {
			continue
		}
		texts := func(t *ruleset.Table, c *ruleset.Chain) (list []string) {
			for j := range c.Rules {
				list = append(list, c.Name+": "+c.Rules[j].Text(t))
			}
			slices.Sort(list)
			return slices.Compact(list)
		}
		a, b := texts(file, &c), texts(live, there)
		if len(a) > 0 && len(b) > 0 && !slices.ContainsFunc(a, func(l string) bool { return slices.Contains(b, l) }) {
			left = append(left, c.Name)
			continue
		}
		was, now = append(was, a...), append(now, b...)
	}
	return differences(was, now), left
}
