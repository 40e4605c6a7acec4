package judge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/ruleset"
)

// DocPersisted is the packet filter that is loaded at boot beside the one that is loaded now.
type DocPersisted struct {
	State  string     `json:"state"`  // of the fact: absent where no service that is known loads one
	Reason string     `json:"reason"` // why it is not known what is loaded at boot, or was not compared
	File   string     `json:"file"`   // that is loaded at boot, "" where none is known
	Loader string     `json:"loader"` // the service, of those in persistedMore
	Tables []DocDrift `json:"tables"` // that differ
	Left   []string   `json:"left"`   // chains that are in force and were not compared
}

// DocDrift is a table that differs. Missing is one that the file has and that is not loaded, Extra one that is loaded, guards the host, and
// is in no file.
type DocDrift struct {
	Table   string   `json:"table"`   // inet filter
	Missing bool     `json:"missing"` // the file has it, and it is not loaded
	Extra   bool     `json:"extra"`   // it is loaded and guards the host, and is in no file
	Lines   []string `json:"lines"`   // first differences: + is loaded alone, - in the file alone
}

// maxDrift bounds the lines that are told of one table.
const maxDrift = 6

// persisted compares the two, table by table. What runtimes and iptables load by themselves is in no file, and is not asked about.
func (b *builder) persisted() {
	p := &b.snap.System.Persisted
	d := DocPersisted{State: string(p.Read.State), Reason: p.Read.Reason, File: p.File, Tables: []DocDrift{}, Left: []string{}}
	live := b.snap.NFTables.Ruleset
	if p.Ruleset != nil && live != nil {
		for i := range p.Ruleset.Tables {
			t := &p.Ruleset.Tables[i]
			drift := DocDrift{Table: t.Family + " " + t.Name, Lines: []string{}}
			if now := tableOf(live, t); now != nil {
				drift.Lines = differences(linesOf(t), linesOf(now))
			} else {
				drift.Missing = true
			}
			if drift.Missing || len(drift.Lines) > 0 {
				d.Tables = append(d.Tables, drift)
			}
		}
		for i := range live.Tables {
			if t := &live.Tables[i]; guards(t) && tableOf(p.Ruleset, t) == nil && !loadedByOthers(t) {
				d.Tables = append(d.Tables, DocDrift{Table: t.Family + " " + t.Name, Extra: true, Lines: []string{}})
			}
		}
	}
	b.doc.Persisted, b.doc.PersistedMore = d, []DocPersisted{}
	for i := range b.snap.System.PersistedMore {
		b.doc.PersistedMore = append(b.doc.PersistedMore, b.persistedBy(&b.snap.System.PersistedMore[i]))
	}
}

func tableOf(rs *ruleset.Ruleset, t *ruleset.Table) *ruleset.Table {
	for i := range rs.Tables {
		if o := &rs.Tables[i]; o.Family == t.Family && o.Name == t.Name {
			return o
		}
	}
	return nil
}

// guards says of a table that it has a base chain of type filter with rules or that drops.
func guards(t *ruleset.Table) bool {
	return !t.Dormant && slices.ContainsFunc(t.Chains, func(c ruleset.Chain) bool {
		return c.Base != nil && c.Base.Type == "filter" && (c.Base.Policy != ruleset.Accept || len(c.Rules) > 0)
	})
}

// loadedByOthers says of a table that a runtime, a daemon or iptables loads it: that of iptables has its fixed names.
func loadedByOthers(t *ruleset.Table) bool {
	if t.Legacy != "" {
		return true
	}
	for _, prefix := range []string{"docker", "kube-", "libvirt", "firewalld", "ringfence", "netavark", "cali", "cilium", "incus", "lxd", "f2b", "crowdsec", "tailscale", "ts-"} {
		if strings.HasPrefix(t.Name, prefix) {
			return true
		}
	}
	return ofIptables(t)
}

// ofIptables says of a table that it is one of those that iptables has, by their fixed names.
func ofIptables(t *ruleset.Table) bool {
	ip := t.Family == ruleset.FamilyIP || t.Family == ruleset.FamilyIP6
	return ip && slices.Contains([]string{"filter", "nat", "mangle", "raw", "security"}, t.Name)
}

// differences are lines of one side that are not in the other.
func differences(was, now []string) []string {
	if slices.Equal(was, now) {
		return []string{}
	}
	lines, more := []string{}, 0
	for _, side := range []struct {
		sign      string
		of, other []string
	}{{"+", now, was}, {"-", was, now}} {
		count := map[string]int{}
		for _, l := range side.other {
			count[l]++
		}
		for _, l := range side.of {
			if count[l]--; count[l] >= 0 {
				continue
			}
			if len(lines) < maxDrift {
				lines = append(lines, side.sign+" "+l)
			} else {
				more++
			}
		}
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	if len(lines) == 0 {
		return []string{"the rules are in another order"}
	}
	return lines
}

// linesOf are the chains of a table with their hooks, and rules by their texts in their order. Counters and
// handles are no part of a text, and the elements of named sets come and go.
func linesOf(t *ruleset.Table) []string {
	var lines []string
	chains := slices.Clone(t.Chains)
	slices.SortFunc(chains, func(a, b ruleset.Chain) int { return strings.Compare(a.Name, b.Name) })
	for i := range chains {
		c := &chains[i]
		head := "chain " + c.Name
		if c.Base != nil {
			head += fmt.Sprintf(": type %s hook %s priority %d policy %s", c.Base.Type, c.Base.Hook, c.Base.Priority, c.Base.Policy)
		}
		lines = append(lines, head)
		for j := range c.Rules {
			lines = append(lines, c.Name+": "+c.Rules[j].Text(t))
		}
	}
	if t.Dormant {
		lines = append(lines, "it is dormant")
	}
	return lines
}
