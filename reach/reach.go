// Package reach is the packet model: it answers for a set of packets at once whether any of them
// gets to a socket of the host, or through the host, given the snapshot's packet filter, routes,
// sysctls and links.
//
// A question starts as one cube (a set of numbers for each field of a packet) and is split by each
// rule into the packets that match and those that do not. What arrives without a doubt on the way is
// reachable, with a witness; when nothing arrives, every part was stopped by a named rule, policy
// or route: unreachable; else the doubts are the answer: unknown. Expressions that depend on more
// than the packet, and everything that is not modelled (XDP, tc, iptables-legacy that was not read, bridge filters,
// equal priorities that interact), are doubts; they are never skipped.
//
// The questions are about packets in frames for whom their destination says (the host, all of a link, or a group),
// unfragmented and without options: of a new connection, or of another state where the question says so.
package reach

import (
	"slices"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// Answer is the answer to one question.
type Answer struct {
	Verdict   packet.Verdict `json:"verdict"`
	Witness   *packet.Packet `json:"witness,omitempty"`
	Path      []packet.Cause `json:"path,omitempty"`      // reachable: the rules that accepted the witness
	StoppedBy []packet.Cause `json:"stoppedBy,omitempty"` // unreachable
	Because   []packet.Cause `json:"because,omitempty"`   // unknown
	// Restricted says of a reachable answer that only a small part of the origin's addresses gets
	// through: the rules have a list of who may.
	Restricted bool `json:"restricted,omitempty"`
	// Certificate proves an unreachable answer; only Model.Reach gives one.
	Certificate []packet.Certificate `json:"certificate,omitempty"`
	// Ports are the destination ports, as the sender writes them, of what gets through or may; only
	// Model.Reach tells them.
	Ports []string `json:"-"`
	// Resourced says that some of what gets through, or may, leaves with another source than it came with; only
	// Model.Reach and Model.Ask tell it.
	Resourced bool `json:"-"`
	// Doubtful are packets that may get through, of an unknown answer.
	Doubtful []packet.Packet `json:"-"`

	tied  []packet.Cause
	taken []taken // what gets there, or may, where the question wants that told
	whole bool    // nothing but that does
	cut   bool    // there were too many ways to follow
	sure  []cube  // of an order that matters: what got through without a doubt
}

// Model answers questions about one snapshot.
type Model struct {
	snap     *snapshot.Snapshot
	fibs     map[bool]*fib
	legacy   []packet.Cause // iptables-legacy tables
	general  []packet.Cause // what makes every answer unknown
	compiled map[*ruleset.Set]*compiled
	// numbers are the addresses or ports of sets of ipset that have nothing else.
	numbers map[numbersKey]set
	ordered map[orderKey][][]*ruleset.IPSetElement // those of several parts
	// ipsetChanges are the sets of ipset that rules change, once that was asked.
	ipsetChanges *ruleset.IPSetChanges
	sieves       map[sieveKey]sieved
	byPort       map[atPort][]*snapshot.Socket // see rivals
	// translating is what translates found.
	translating *bool
	// physdev is what asksForPhysdev found.
	physdev *bool
	// gates are what gate found.
	gates   map[gateKey]*gate
	tracked map[bool]bool // whether connections of IPv4, or IPv6, are tracked
	causes  map[*ruleset.Rule]packet.Cause
	effort  *Effort // of all questions
	rules   int
	near    map[int][]*snapshot.Link // by index: the interface and those that have it as master, in the order of the snapshot
	base    int                      // steps that every question costs, however few rules it meets

	ways   map[*snapshot.Link][]snapshot.SwitchWay // see switchWays
	chains map[*ruleset.Table]map[string]*ruleset.Chain
	hooked map[hookKey]hooked // see baseChains
	idles  map[*ruleset.Chain][]bool
	// idleWhole are the chains all of whose rules are idle, or not.
	idleWhole map[*ruleset.Chain]bool
}

// chain is the one of that name in a table, nil where there is none. Thousands of chains are found by their names many times.
func (m *Model) chain(t *ruleset.Table, name string) *ruleset.Chain {
	byName, ok := m.chains[t]
	if !ok {
		byName = make(map[string]*ruleset.Chain, len(t.Chains))
		for i := range t.Chains {
			if c := &t.Chains[i]; byName[c.Name] == nil {
				byName[c.Name] = c
			}
		}
		m.chains[t] = byName
	}
	return byName[name]
}

// switchWays are the ways of frames that come in by a port of a bridge, found once.
func (m *Model) switchWays(in *snapshot.Link) []snapshot.SwitchWay {
	list, ok := m.ways[in]
	if !ok {
		list = m.snap.Network.Switched(in)
		m.ways[in] = list
	}
	return list
}

// near finds interfaces by their own index and by that of their master.
func near(links []snapshot.Link) map[int][]*snapshot.Link {
	by := make(map[int][]*snapshot.Link, len(links))
	for i := range links {
		l := &links[i]
		by[l.Index] = append(by[l.Index], l)
		if l.Master != l.Index {
			by[l.Master] = append(by[l.Master], l)
		}
	}
	return by
}

// NewModel prepares the model. It never fails: what the snapshot lacks becomes the reason for
// unknown answers.
func NewModel(s *snapshot.Snapshot) *Model {
	m := &Model{
		snap: s, fibs: map[bool]*fib{true: newFib(&s.Network, true), false: newFib(&s.Network, false)},
		compiled: map[*ruleset.Set]*compiled{}, numbers: map[numbersKey]set{}, ordered: map[orderKey][][]*ruleset.IPSetElement{}, sieves: map[sieveKey]sieved{}, byPort: map[atPort][]*snapshot.Socket{}, causes: map[*ruleset.Rule]packet.Cause{},
		near: near(s.Network.Links), ways: map[*snapshot.Link][]snapshot.SwitchWay{}, chains: map[*ruleset.Table]map[string]*ruleset.Chain{}, hooked: map[hookKey]hooked{}, idles: map[*ruleset.Chain][]bool{}, idleWhole: map[*ruleset.Chain]bool{},
		base: 100 + len(s.Network.Links) + len(s.Network.Routes)/4,
	}
	if rs := s.NFTables.Ruleset; rs != nil {
		for i := range rs.Tables {
			for j := range rs.Tables[i].Chains {
				m.rules += len(rs.Tables[i].Chains[j].Rules)
			}
		}
		m.tracked = map[bool]bool{true: rs.Conntrack(true), false: rs.Conntrack(false)}
	}
	for _, name := range []string{"network", "nftables"} {
		c := s.Section(name)
		if c.Status == snapshot.OK || name == "nftables" && c.Status == snapshot.Absent && len(s.Network.Links) > 0 {
			continue
		}
		if c.Status == snapshot.Partial && name == "network" && len(s.Network.Links) > 0 {
			continue // the gaps are about other namespaces, or about single facts that are asked for
		}
		m.general = append(m.general, packet.Cause{
			Text: name + " was not read: " + strings.Join(c.Reasons, "; "),
		})
	}
	for _, name := range []string{"iptables", "ip6tables"} {
		f := s.NFTables.Legacy[name]
		if f.State == snapshot.Denied || f.State == snapshot.Error {
			m.general = append(m.general, packet.Cause{Text: name + "-legacy: " + f.Reason})
		} else if list := s.NFTables.UnreadLegacy(name); len(list) > 0 {
			m.legacy = append(m.legacy, packet.Cause{Text: name + "-legacy has tables: " + strings.Join(list, " ")})
		}
	}
	return m
}

// engine works on one question.
type engine struct {
	*Model
	compiledSets map[*ruleset.Set]*compiled
	stopped      []stopped
	stopIndex    map[packet.Cause]int
	undecided    []packet.Cause
	vmap         []pendingVerdict
	steps, paid  int            // that the question took, and those that its effort was told of
	maxSteps     int            // that it may take
	maxCases     int            // that it may hold at one time
	over         error          // why it has to end
	sources      set            // of the question
	reversed     bool           // run chains of equal priority in the other order
	tied         []packet.Cause // pairs whose order matters
	silent       bool           // what is stopped is not asked for
	keep         bool           // the cubes that are stopped, for a certificate
	proof        []stoppedBy    // them
	question     cube           // as it was asked, before what cannot matter was left out
	sliced       [nFields]set
	state        uint64         // of conntrack, once it has seen the packets
	local        bool           // a process of the host sends them
	by           *packet.Sender // that process, if it is known
	here         bool           // only what is delivered to the host itself matters
	port         *snapshot.Link // of a bridge, that the question is about
	notPorts     []int          // of a bridge, that the question is not about
	toPorts      []int          // of bridges, that the question leads to
	bridging     bool           // the frames go from port to port of a bridge
	between      [2]*snapshot.Link
	sieve        *sieve
	onStop       func(*cube, packet.Cause) // also hears of what is stopped
}

// stoppedBy is packets of the question and what stopped them.
type stoppedBy struct {
	cube cube
	by   packet.Cause
}

func (m *Model) newEngine() *engine {
	e := &engine{
		Model: m, compiledSets: m.compiled, stopIndex: map[packet.Cause]int{}, maxSteps: maxSteps, maxCases: maxCases, state: ruleset.CtNew,
	}
	if m.effort != nil && m.effort.Question > 0 {
		e.maxSteps = min(maxSteps, m.effort.Question)
	}
	if m.effort != nil && m.effort.Cases > 0 {
		e.maxCases = min(maxCases, m.effort.Cases)
	}
	return e
}

// stopped is a cause and the destination ports of the packets that it stopped.
type stopped struct {
	by    packet.Cause
	ports set
}

// stop notes what stopped packets; packets that were doubtful before stay stopped all the same.
func (e *engine) stop(c cube, by packet.Cause) {
	if e.silent {
		return
	}
	if e.keep {
		e.proof = append(e.proof, stoppedBy{c, by})
	}
	if e.onStop != nil {
		e.onStop(&c, by)
	}
	i, ok := e.stopIndex[by]
	if !ok {
		i = len(e.stopped)
		e.stopIndex[by] = i
		e.stopped = append(e.stopped, stopped{by: by})
	}
	if s := &e.stopped[i]; len(s.ports) == 0 || len(c.sets[fDport].subtract(s.ports)) > 0 {
		s.ports = append(slices.Clone(s.ports), c.sets[fDport]...).normal()
	}
}

// stoppers are the causes that stopped packets to one port, or any where port is negative.
func (e *engine) stoppers(port int) []packet.Cause {
	var list []packet.Cause
	for _, s := range e.stopped {
		if port < 0 || s.ports.contains(num(uint64(port))) {
			list = append(list, s.by)
		}
	}
	return list
}

// answer draws the conclusion from what arrived.
func (e *engine) answer(arrived []cube, err error, in *snapshot.Link, proto string, port int) Answer {
	a := e.conclude(arrived, err, in, proto, port)
	if a.Verdict == packet.Reachable && e.sources != nil {
		var through set
		for i := range arrived {
			through = append(through, arrived[i].original(fSaddr)...)
		}
		a.Restricted = append(set{}, through...).normal().weight() < e.sources.weight()/2
	}
	return a
}

func (e *engine) conclude(arrived []cube, err error, in *snapshot.Link, proto string, port int) Answer {
	e.end()
	if err == nil {
		err = e.over
	}
	if err != nil {
		return Answer{Verdict: packet.Unknown, Because: []packet.Cause{{Text: err.Error()}}, cut: true}
	}
	a := Answer{Verdict: packet.Unknown, Because: append(slices.Clone(e.general), e.undecided...)}
	if len(a.Because) > 0 {
		return e.doubtful(a, arrived, in, proto)
	}
	if len(e.legacy) > 0 && (len(arrived) > 0 || e.legacyTranslates()) {
		a.Because = e.legacy
		return e.doubtful(a, arrived, in, proto)
	}
	if a, ok := e.surely(arrived, in, proto); ok {
		return a
	}
	// What is least in doubt names what would decide.
	for i := range arrived {
		if c := &arrived[i]; a.Because == nil || len(c.doubts) < len(a.Because) {
			a.Because = c.doubts
		}
	}
	if len(arrived) > 0 {
		return e.doubtful(a, arrived, in, proto)
	}
	return Answer{Verdict: packet.Unreachable, StoppedBy: e.stoppers(port)}
}

// surely is the answer where something arrived without a doubt.
func (e *engine) surely(arrived []cube, in *snapshot.Link, proto string) (Answer, bool) {
	sure, best := []cube(nil), -1
	for i := range arrived {
		c := &arrived[i]
		if len(c.doubts) > 0 {
			continue
		}
		if best < 0 && !c.original(fDaddr).subtract(special[c.v4]).empty() {
			best = i
		}
		if len(e.tied) == 0 && best >= 0 { // the others count only where an order matters
			break
		}
		sure = append(sure, *c)
	}
	if best < 0 {
		if len(sure) == 0 {
			return Answer{}, false
		}
		best = slices.IndexFunc(arrived, func(c cube) bool { return len(c.doubts) == 0 })
	}
	a := Answer{Verdict: packet.Reachable, Witness: e.witness(&arrived[best], in, proto), Path: arrived[best].trail}
	if len(e.tied) > 0 {
		a.sure = sure[:min(len(sure), maxMeeting)]
	}
	return a, true
}

// doubtful adds packets that may get through.
func (e *engine) doubtful(a Answer, arrived []cube, in *snapshot.Link, proto string) Answer {
	for i := range arrived[:min(len(arrived), maxDoubtful)] {
		a.Doubtful = append(a.Doubtful, *e.witness(&arrived[i], in, proto))
	}
	return a
}

// maxDoubtful bounds the doubtful packets of an answer.
const maxDoubtful = 64

// legacyTranslates says whether iptables-legacy could lead a packet around a rule: its filter table
// can only drop, the others can translate and mark.
func (e *engine) legacyTranslates() bool {
	for _, c := range e.legacy {
		if strings.Contains(c.Text, "nat") || strings.Contains(c.Text, "mangle") ||
			strings.Contains(c.Text, "raw") {
			return true
		}
	}
	return false
}
