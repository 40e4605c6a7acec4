package threatmodel

import (
	"slices"
	"strings"

	"github.com/ringfence/ringfence/finding"
)

// findings puts each finding, and each open question, on the node that it is about. What is about the host as a whole is on its OS.
func (b *building) findings() {
	r := b.m.Report
	for i := range r.Results {
		res := &r.Results[i]
		for j := range res.Findings {
			n := b.about(res.ID, &res.Findings[j].Resource)
			n.Findings = append(n.Findings, Found{res, &res.Findings[j]})
		}
	}
	for _, o := range r.Open() {
		if o.Resource != nil {
			n := b.about(o.Check, o.Resource)
			n.Open = append(n.Open, o)
		}
	}
	for i := range b.m.Nodes {
		slices.SortStableFunc(b.m.Nodes[i].Findings, func(x, y Found) int {
			return finding.Rank(x.Finding.Severity) - finding.Rank(y.Finding.Severity)
		})
	}
}

// ofFilter are the kinds of resources that are of the packet filter.
var ofFilter = []string{"nftables", "filter", "firewall", "rule", "chain", "table", "bridge", "forward", "interface", "published", "netns"}

// about is the node of a resource.
func (b *building) about(check string, r *finding.Resource) *Node {
	for _, key := range []string{listenerKey(r.Key), r.Key, "agent " + r.Key, "server " + r.Key, "store " + r.Path} {
		if n := b.m.Node(key); n != nil {
			return n
		}
	}
	switch {
	case r.Kind == "sshd" || r.Kind == "server" && strings.HasPrefix(check, "ssh/"):
		if n := b.m.Node("server openssh"); n != nil {
			return n
		}
	case r.Kind == "socket":
		for _, u := range b.inv.Uses {
			if n := b.m.Node(u.To); u.Object == r.Path && u.Kind == finding.UseSocket && n != nil {
				return n
			}
		}
	}
	if n := b.within(r.Key); n != nil {
		return n
	}
	if slices.Contains(ofFilter, r.Kind) {
		return b.m.Node("goal filter")
	}
	if r.Kind == "file" && strings.Contains(check, "secret") {
		return b.m.Node("goal secret")
	}
	return b.m.Node("goal root")
}

// within is the node of the part whose key a longer key of a resource begins or ends with: keys of what a container or an agent has are made of
// its own. The longest one counts. What a host calls its containers can be the end of another name, so that this decides where a finding is drawn and
// nothing else.
func (b *building) within(key string) *Node {
	best := ""
	for i := range b.inv.Parts {
		p := &b.inv.Parts[i]
		name := p.Key
		if p.Kind == finding.PartAgent || p.Kind == finding.PartServer {
			_, name, _ = strings.Cut(p.Key, " ")
		}
		begins := strings.HasPrefix(key, name) && strings.ContainsAny(key[len(name):][:min(1, len(key)-len(name))], " :")
		if (begins || strings.HasSuffix(key, " in "+p.Key) || strings.HasSuffix(key, " of "+p.Key)) && len(p.Key) > len(best) {
			best = p.Key
		}
	}
	return b.m.Node(best)
}
