package threatmodel

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/finding"
)

// building makes a model.
type building struct {
	m   *Model
	inv *finding.Inventory
}

// add adds a node, once.
func (b *building) add(n Node) {
	if _, ok := b.m.at[n.Key]; !ok {
		b.m.at[n.Key] = len(b.m.Nodes)
		b.m.Nodes = append(b.m.Nodes, n)
	}
}

// goalKeys are the nodes of what somebody can get, by the goal of a use.
var goalKeys = map[string]string{"root": "goal root", "filter": "goal filter", "secret": "goal secret"}

// goals are what is to be defended.
func (b *building) goals() {
	b.add(Node{Key: "goal root", Kind: Component, Zone: Host, Name: "Host OS (root)", Text: "The kernel and what root runs: who gets here has the host."})
	b.add(Node{Key: "goal filter", Kind: Component, Zone: Host, Name: "Packet filter", Text: "The rules that decide which packets arrive: who rewrites them opens the host."})
	b.add(Node{Key: "goal secret", Kind: Store, Zone: Host, Name: "Secrets of the host", Text: "Passwords and private keys that root alone is to read."})
}

// kindOf is the kind of the node of a part.
func kindOf(part string) NodeKind {
	switch part {
	case finding.PartAccount:
		return Actor
	case finding.PartStore:
		return Store
	default:
		return Component
	}
}

func (b *building) parts() {
	for i := range b.inv.Parts {
		p := &b.inv.Parts[i]
		b.add(Node{
			Key: p.Key, Kind: kindOf(p.Kind), Zone: known(cmp.Or(p.Zone, Host)), Name: p.Name, Text: sentence(p), In: p.In, Part: p.Kind, Networks: p.Networks, Auth: p.Auth,
		})
	}
	for i := range b.m.Nodes { // a part of what is not there stands by itself
		if n := &b.m.Nodes[i]; n.In != "" && b.m.Node(n.In) == nil {
			n.In = ""
		}
	}
}

// sentence says what a part is.
func sentence(p *finding.Part) string {
	what := map[string]string{
		finding.PartContainer: "Container", finding.PartAgent: "Agent", finding.PartProcess: "Process",
		finding.PartService: "Service that runs as a user of the system", finding.PartAccount: "Account that logs in", finding.PartDaemon: "Daemon of a runtime",
		finding.PartServer: "Server that manages the host", finding.PartStore: "Files of the host that a workload sees",
	}[p.Kind]
	parts := []string{what}
	for _, s := range []string{p.Detail, p.Meant} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if len(p.Networks) > 0 {
		parts = append(parts, "network "+strings.Join(p.Networks, ", "))
	}
	return strings.Join(parts, ": ")
}

// partListener is the part of listening sockets.
const partListener = "listener"

// listenerKey is the key of the node of a listener, by that of its service.
func listenerKey(service string) string { return "listener " + service }

func (b *building) listeners() {
	for i := range b.inv.Listeners {
		l := &b.inv.Listeners[i]
		n := Node{Key: listenerKey(l.Key), Kind: Component, Zone: Host, Name: l.Key, Text: "Listening socket", In: l.Part, Part: partListener, Class: l.Class, Program: l.Name}
		switch l.TLS {
		case "true":
			n.Text, n.Auth = "Listening socket that asks for client certificates", []string{finding.AuthKey}
		case "false":
			n.Text, n.Auth = "Listening socket that asks for no client certificate", []string{finding.AuthNone}
		}
		if up := b.m.Node(l.Part); up != nil {
			n.Zone = up.Zone
		} else {
			n.In = ""
		}
		b.add(n)
	}
}

// actors are whoever sends packets of a zone.
var actors = map[string]Node{
	External:   {Key: "actor external", Name: "Outsider", Text: "Anybody who sends packets from outside."},
	Management: {Key: "actor management", Name: "Operator", Text: "Whoever administers the host from a management network."},
	Host:       {Key: "actor host", Name: "Process of the host", Text: "Any process in the network of the host."},
	Runtime:    {Key: "actor runtime", Name: "Process of a runtime", Text: "Daemons and agents in the network of the host."},
	Workload:   {Key: "actor workload", Name: "Code in a workload", Text: "Whatever runs in a container, a machine or a sandbox, and processes of workloads in the network of the host."},
}

// actor is the key of whoever sends packets of a zone.
func (b *building) actor(zone string) string {
	n := actors[known(zone)]
	n.Kind, n.Zone = Actor, known(zone)
	b.add(n)
	return n.Key
}

// expected are the zones from which checks ask whether they reach services of a class.
func expected(zone, class string) bool {
	return class != "other" && class != "" && (zone == External || zone == Workload)
}

// verdictOf is the verdict of an exposure or a use. What says none of them is not known.
func verdictOf(s string) Verdict {
	switch s {
	case "reachable", "yes":
		return Possible
	case "unreachable", "no":
		return Impossible
	default:
		return Unknown
	}
}

// rank orders verdicts: what is possible somewhere is possible, what is not known somewhere is not known.
func rank(v Verdict) int { return slices.Index([]Verdict{Impossible, Unknown, Possible}, v) }

// join adds an answer about a flow to what is known of it.
func (f *Flow) join(v Verdict, by, witness string, stopped, because []finding.Cause) {
	switch {
	case rank(v) < rank(f.Verdict):
		f.Not = append(f.Not, by+": "+string(v))
		return
	case rank(v) > rank(f.Verdict):
		for _, other := range f.By {
			f.Not = append(f.Not, other+": "+string(f.Verdict))
		}
		f.Verdict, f.By, f.Witness, f.StoppedBy, f.Because = v, nil, "", nil, nil
	}
	if !slices.Contains(f.By, by) {
		f.By = append(f.By, by)
	}
	f.Witness = cmp.Or(f.Witness, witness)
	f.StoppedBy, f.Because = more(f.StoppedBy, stopped), more(f.Because, because)
}

// maxReasons is how many reasons a flow keeps: hundreds of rules tell nobody anything.
const maxReasons = 4

func more(list []string, causes []finding.Cause) []string {
	for _, c := range causes {
		if s := strings.TrimSpace(c.Where + " " + c.Text); len(list) < maxReasons && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// flows collects answers by flow.
type flows struct {
	list []Flow
	at   map[string]int
}

func (l *flows) of(f Flow) *Flow {
	i, ok := l.at[f.Key]
	if !ok {
		i = len(l.list)
		l.at[f.Key] = i
		l.list = append(l.list, f)
	}
	return &l.list[i]
}

// exposures makes one flow of what the zone reaches of a listener, over all interfaces and both families.
func (b *building) exposures() {
	all := flows{at: map[string]int{}}
	for e := range b.m.Report.EachExposure() {
		to := listenerKey(e.Service.Key())
		if b.m.Node(to) == nil { // a report without an inventory
			b.add(Node{Key: to, Kind: Component, Zone: Host, Name: e.Service.Key(), Text: "Listening socket", Part: partListener, Program: e.Service.Owner})
		}
		n, from := b.m.Node(to), b.actor(e.Zone)
		f := all.of(Flow{
			Key: from + " > " + to, From: from, To: to, Kind: ByNetwork, Verdict: Impossible, Label: fmt.Sprintf("%s %d", e.Service.Proto, e.Service.Port),
			Expected: expected(known(e.Zone), n.Class), Encrypted: n.Class == "ssh" || slices.Equal(n.Auth, []string{finding.AuthKey}),
		})
		f.join(verdictOf(e.Verdict), e.Origin+" "+e.Family, e.Witness, e.StoppedBy, e.Because)
	}
	b.m.Flows = append(b.m.Flows, all.list...)
}

// network is the node of the networks of a zone, to which the host forwards.
func (b *building) network(zone string) string {
	key := "network " + zone
	z := b.m.Zone(zone)
	b.add(Node{
		Key: key, Kind: Component, Zone: zone, Name: z.Title + " networks", Text: "What the host forwards packets to by " + strings.Join(z.Interfaces, ", "),
	})
	return key
}

// forwards makes one flow of what a zone reaches of another one through the host.
func (b *building) forwards() {
	all := flows{at: map[string]int{}}
	for w := range b.m.Report.EachForward() {
		from, to := known(w.FromZone), known(w.ToZone)
		source, dest := b.actor(from), b.network(to)
		f := all.of(Flow{
			Key: source + " > " + dest, From: source, To: dest, Kind: ByForward, Verdict: Impossible, Label: "forwarded", Expected: from == External && to == Management,
		})
		f.join(verdictOf(w.Verdict), w.From+" to "+w.To+" "+w.Family, w.Witness, w.StoppedBy, w.Because)
	}
	b.m.Flows = append(b.m.Flows, all.list...)
}

// uses are the ways that are not packets. Who is root has the rest too: that is told once, and so is what leaves open whether somebody becomes root.
func (b *building) uses() {
	open := map[string][]string{} // why it is not known whether somebody becomes root
	for i := range b.inv.Uses {
		if u := &b.inv.Uses[i]; u.Kind == finding.UsePower && u.Goal == "root" && verdictOf(u.Verdict) == Unknown {
			open[u.From] = u.Because
		}
	}
	for i := range b.inv.Uses {
		u := &b.inv.Uses[i]
		f := Flow{
			From: u.From, To: u.To, Verdict: verdictOf(u.Verdict), Steps: u.Steps, Because: u.Because, Label: u.Object,
			Kind: map[string]FlowKind{finding.UseSocket: BySocket, finding.UseMount: ByMount, finding.UsePower: ByPower}[u.Kind],
		}
		switch u.Kind {
		case finding.UsePower:
			f.To, f.Label = goalKeys[u.Goal], goalLabels[u.Goal]
			f.Expected = u.Goal == "root"
			if f.Verdict == Impossible {
				f.StoppedBy = []string{"nothing leads there: every state that is ever entered was looked at"}
			}
			if when := triggers[u.Trigger]; when != "" {
				f.Label += " " + when
			}
		case finding.UseMount:
			f.Label = map[bool]string{true: "writes", false: "reads"}[u.Write]
			if f.Verdict == Possible {
				f.Steps = []string{"it is at " + u.Object}
			}
		default:
			f.Expected = true
		}
		if why, ok := open[u.From]; ok && f.Kind == ByPower && u.Goal != "root" && f.Verdict == Unknown && slices.Equal(why, u.Because) {
			continue
		}
		if b.m.Node(f.From) == nil || b.m.Node(f.To) == nil || u.WithRoot || f.Kind == "" {
			continue
		}
		f.Key = strings.Join([]string{f.From, string(f.Kind), f.To, u.Object}, " > ")
		b.m.Flows = append(b.m.Flows, f)
	}
}

// triggers say when a way is open that is not open at once.
var triggers = map[string]string{"timer": "by a timer", "restart": "at a restart", "login": "at a login", "operator": "if somebody helps"}

var goalLabels = map[string]string{"root": "becomes root", "filter": "rewrites filter", "secret": "reads secrets"}
