package remedy

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// later are interfaces that a runtime makes with each network or pod that begins: what their names begin with, and their kind. made are
// the names that are the runtime's own: by one of them a host shows that it has the runtime. Own says that nobody else names an interface of the
// kind so: people give bridges names such as br-lan, and pairs those of their kind.
type later struct {
	prefix, kind string
	made         *regexp.Regexp
	own          bool
}

// laters are those of runtimes.
var laters = []later{
	{"br-", "bridge", regexp.MustCompile(`^(docker\d+|br-[0-9a-f]{12}|nerdctl\d+)$`), false},
	{"podman", "bridge", regexp.MustCompile(`^podman\d+$`), true},
	{"cni-podman", "bridge", regexp.MustCompile(`^cni-podman\d+$`), true},
	{"virbr", "bridge", regexp.MustCompile(`^virbr\d+$`), true},
	{"incusbr", "bridge", regexp.MustCompile(`^incusbr\d+$`), true},
	{"lxdbr", "bridge", regexp.MustCompile(`^lxdbr\d+$`), true},
	{"cali", "veth", regexp.MustCompile(`^cali[0-9a-f]+$`), true},
	{"lxc", "veth", regexp.MustCompile(`^lxc[0-9a-f]+$`), true},
	{"ve-", "veth", regexp.MustCompile(`^ve-`), true},
	{"veth", "veth", regexp.MustCompile(`^veth`), false},
}

// pattern is what stands for them in a rule.
func (k *later) pattern() string { return k.prefix + "*" }

// is says whether an interface is of that kind and name.
func (k *later) is(l *snapshot.Link) bool {
	return l.Kind == k.kind && strings.HasPrefix(l.Name, k.prefix)
}

// ofLater is the kind of interfaces that a rule is about, nil where it names its own.
func (r *Rule) ofLater() *later {
	i := slices.IndexFunc(laters, func(k later) bool { return r.IifKind == k.kind && r.Iif == k.pattern() })
	if i < 0 {
		return nil
	}
	return &laters[i]
}

// takes says whether a rule about interfaces that begin later is about one that is there.
func (k *later) takes(r *Rule, l *snapshot.Link) bool {
	return l != nil && k.is(l) && !slices.Contains(r.NotIif, l.Name) && !(r.Apart && slices.Contains(r.oifs(), l.Name))
}

// laterToo adds to the drops of what comes in by networks of workloads the same for those that the same runtime makes later, with what is
// let pass before. They are known by their kind and how their names begin; of those that are there only those that are closed already are among
// them. The port of an SSH server is left out where others name interfaces so too: people would be locked out.
func (p *Plan) laterToo(s *snapshot.Snapshot, m *zones.Map) {
	closed, passes := map[string]map[string]bool{}, map[string][]Rule{} // by what a rule is about: interfaces that a drop has, and what is let pass before
	var drops []Rule
	for i := range p.Rules {
		r := &p.Rules[i]
		about := r.aboutAll()
		switch {
		case r.Chain != chainIn && r.Chain != chainForward:
		case r.Accept:
			passes[r.Chain+r.Iif] = append(passes[r.Chain+r.Iif], *r)
		case len(r.Sources) == 0 && r.Iif != "":
			if closed[about] == nil {
				closed[about] = map[string]bool{}
			}
			closed[about][r.Iif] = true
			drops = append(drops, *r)
		}
	}
	workloads, others := ofWorkloads(m), map[notClosed][]string{}
	for i := range drops {
		drop := &drops[i]
		p.leavesInto(workloads, drop)
		if !workloads[drop.Iif] {
			continue
		}
		about := drop.aboutAll()
		logins := p.administers(&finding.Deny{Proto: drop.Proto, Port: drop.Port}, s)
		for j := range laters {
			k := &laters[j]
			if !k.made.MatchString(drop.Iif) {
				continue
			}
			if logins && !k.own {
				p.leaves(fmt.Sprintf("%s/%d from %s", drop.Proto, drop.Port, k.pattern()))
				continue
			}
			but, known := others[notClosed{j, about}]
			if !known { // pairs of interfaces are many
				but = k.but(s, closed[about], drop.Oif)
				others[notClosed{j, about}] = but
			}
			for _, r := range passes[drop.Chain+drop.Iif] {
				if r.Kind == "" && (r.about(drop) || r.carves(drop)) {
					p.rule(k.as(r, but))
				}
			}
			p.rule(k.as(*drop, but))
		}
	}
}

// notClosed names interfaces of a kind that drops about the same leave open.
type notClosed struct {
	kind  int
	about string
}

// leaves notes what stays open to or of networks of workloads that begin later.
func (p *Plan) leaves(what string) {
	if !slices.Contains(p.openLater, what) {
		p.openLater = append(p.openLater, what)
	}
}

// leavesInto notes that a way into a network is closed by its name: into one that begins later it is not.
func (p *Plan) leavesInto(workloads map[string]bool, drop *Rule) {
	for j := range laters {
		if k := &laters[j]; drop.Chain == chainForward && workloads[drop.Oif] && k.made.MatchString(drop.Oif) {
			p.leaves("what goes on to " + k.pattern())
		}
	}
}

// aboutAll is what a rule is about, from whatever interface.
func (r *Rule) aboutAll() string {
	return fmt.Sprint(r.Chain, r.Oif, r.Proto, r.Port, r.NotOif, r.To, r.Untracked)
}

// as is the same rule about those that begin later, but for some that are there.
func (k *later) as(r Rule, but []string) Rule {
	r.Iif, r.IifKind, r.NotIif = k.pattern(), k.kind, but
	return r
}

// ofWorkloads are the interfaces that are of workloads, with all who are behind them.
func ofWorkloads(m *zones.Map) map[string]bool {
	out := map[string]bool{}
	for i := range m.Origins {
		if o := &m.Origins[i]; !o.Local && o.Zone == zones.Workload && !o.Bounded {
			out[o.Interface] = true
		}
	}
	return out
}

// but are the interfaces of that kind and name that are not closed. The one that a way leads out by is no other; what a port of a bridge takes comes in
// by the bridge.
func (k *later) but(s *snapshot.Snapshot, closed map[string]bool, oif string) (names []string) {
	for i := range s.Network.Links {
		if l := &s.Network.Links[i]; k.is(l) && l.Name != oif && !closed[l.Name] && s.Network.BridgeOf(l) == nil {
			names = append(names, l.Name)
		}
	}
	slices.Sort(names)
	return names
}

// closesLater proves for each drop about networks that begin later that the plan's tables alone drop what it is about, from one that is
// not there yet: of the kind, with a name that nobody has.
func (p *Proof) closesLater(ctx context.Context, s *snapshot.Snapshot) error {
	alone := p.alone(s)
	var list []Closed
	for i := range p.plan.Rules {
		r := &p.plan.Rules[i]
		k := r.ofLater()
		if r.Accept || k == nil {
			continue
		}
		var in *snapshot.Link
		alone, in = k.begun(alone)
		if in == nil {
			return fmt.Errorf("%s: no name is left for one that is not there yet", r)
		}
		one := *r
		one.Iif, one.IifKind, one.NotIif, one.Iifs = in.Name, "", nil, nil
		questions, err := p.plan.asked(&one, alone)
		if err != nil {
			return fmt.Errorf("%s: %w", r, err)
		}
		for _, q := range questions {
			list = append(list, Closed{r, q})
		}
	}
	if len(list) == 0 {
		return nil
	}
	alone.Index()
	for i, a := range answersTo(ctx, list, alone) {
		if a.Verdict != packet.Unreachable {
			return fmt.Errorf("%s: what it closes to those that begin later is %s: %s", list[i].Rule, a.Verdict, reasons(&a.Answer))
		}
	}
	p.note("model: networks and pods that begin later are closed as those that are there: %d questions about one of each kind", len(list))
	return nil
}

// asked are the questions about a drop on a host. What others may send who keep access is left out by their addresses, as of those that are there.
func (p *Plan) asked(r *Rule, s *snapshot.Snapshot) (list []*reach.Question, err error) {
	var accepts []*Rule
	for i := range p.Rules {
		k := p.Rules[i]
		if k.Accept && k.ofLater() != nil {
			k.Iif, k.IifKind, k.NotIif = r.Iif, "", nil
			accepts = append(accepts, &k)
		}
	}
	protos := []string{r.Proto}
	if r.Proto == "" {
		protos = []string{"tcp", "udp", "icmp"}
	}
	for _, proto := range protos {
		some, err := r.questions(accepts, s, proto, p.ended)
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	return list, nil
}

// begun is a host on which one more of them is there, with a network of its own (RFC 5737, RFC 3849). It is nil where all names are taken.
func (k *later) begun(s *snapshot.Snapshot) (*snapshot.Snapshot, *snapshot.Link) {
	l := snapshot.Link{Index: 1, Kind: k.kind, Up: true, Hardware: 1, Addrs: []string{"203.0.113.1/24", "2001:db8:ffff::1/64"}}
	for i := range s.Network.Links {
		l.Index = max(l.Index, s.Network.Links[i].Index+1)
	}
	for n := range 1000 {
		if name := fmt.Sprintf("%slater%d", k.prefix, n); len(name) < 16 && s.Network.LinkNamed(name) == nil {
			l.Name = name
			break
		}
	}
	if l.Name == "" {
		return s, nil
	}
	clone := *s
	clone.Network.Links = append(slices.Clone(s.Network.Links), l)
	route := func(family int, kind string, table int, dst string) snapshot.Route {
		return snapshot.Route{Family: family, Table: table, Type: kind, Dst: dst, Oifs: []int{l.Index}, Protocol: 2}
	}
	const local, main = 255, 254
	clone.Network.Routes = append(slices.Clone(s.Network.Routes),
		route(4, "local", local, "203.0.113.1/32"), route(4, "unicast", main, "203.0.113.0/24"),
		route(6, "local", local, "2001:db8:ffff::1/128"), route(6, "unicast", main, "2001:db8:ffff::/64"))
	clone.Network.Sysctls = maps.Clone(s.Network.Sysctls)
	if clone.Network.Sysctls == nil {
		clone.Network.Sysctls = map[string]snapshot.Fact{}
	}
	for key, value := range openest {
		family, name, _ := strings.Cut(key, "/")
		clone.Network.Sysctls["net/"+family+"/conf/"+l.Name+"/"+name] = snapshot.Fact{State: snapshot.Present, Value: value}
	}
	return &clone, &clone.Network.Links[len(clone.Network.Links)-1]
}

// openest are the settings of an interface that let the most come in and pass.
var openest = map[string]string{
	"ipv4/route_localnet": "1", "ipv4/rp_filter": "0", "ipv4/forwarding": "1", "ipv4/accept_local": "1", "ipv4/src_valid_mark": "0",
	"ipv4/send_redirects": "0", "ipv4/disable_policy": "0", "ipv4/mc_forwarding": "0",
	"ipv6/disable_ipv6": "0", "ipv6/forwarding": "1", "ipv6/force_forwarding": "0", "ipv6/disable_policy": "0", "ipv6/mc_forwarding": "0",
}

// cutsOther says that an interface of another zone is new that rules about networks of workloads are about, by its kind and name.
func (p *Plan) cutsOther(now *snapshot.Snapshot, m *zones.Map) error {
	for _, o := range origins(m) {
		l := now.Network.LinkNamed(o.Name)
		if o.Zone == zones.Workload || slices.ContainsFunc(p.Known, func(k Known) bool { return k.Name == o.Name }) {
			continue
		}
		for i := range p.Rules {
			r := &p.Rules[i]
			if k := r.ofLater(); k != nil && !r.Accept && k.takes(r, l) {
				return fmt.Errorf("%s %s (%s) is new, and by its name the rules take it for one of workloads (%s): apply the fix again", k.kind, escape.Line(o.Name), o.Zone, k.pattern())
			}
		}
	}
	return nil
}

// laterNames are what names of interfaces begin with that rules cover which are not there yet.
func (p *Plan) laterNames() (list []string) {
	for i := range p.Rules {
		if k := p.Rules[i].ofLater(); k != nil && !slices.Contains(list, k.pattern()) {
			list = append(list, k.pattern())
		}
	}
	slices.Sort(list)
	return list
}

// there are the interfaces that are there and that a rule about those that begin later takes too.
func (r *Rule) there(s *snapshot.Snapshot) (names []string) {
	k := r.ofLater()
	for i := range s.Network.Links {
		if l := &s.Network.Links[i]; k != nil && k.is(l) {
			names = append(names, l.Name)
		}
	}
	return names
}
