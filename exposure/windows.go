package exposure

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trace"
	"github.com/ringfence/ringfence/wfp"
	"github.com/ringfence/ringfence/wfp/classify"
	"github.com/ringfence/ringfence/wfp/mpssvc"
	"github.com/ringfence/ringfence/zones"
)

// Windows answers who reaches the listeners of a Windows host: by the filters that its engine holds, and where these were not read by
// those that its rules and settings make. Where both were read they are compared.
type Windows struct {
	ctx         context.Context
	snap        *snapshot.Windows
	coverage    snapshot.Coverage
	held, ruled *filtering
	tally       Tally
	drive       string          // that Windows is on
	four        map[portOf]bool // ports on all addresses of IPv4
	usualRPC    bool
	// left is how many filters may be looked at yet.
	left int
}

// usedUp is why a question was not asked.
const usedUp = "the effort for questions about the host is used up: there are too many listeners and filters"

// windowsLooks is how many filters and conditions all questions about a host may look at, a tenth of a microsecond each. A real host takes some millions.
const windowsLooks = 60_000_000

// portOf is a port of a protocol.
type portOf struct {
	proto string
	port  int
}

// filtering is one way to know the filters.
type filtering struct {
	filters []wfp.Filter
	engine  *wfp.Engine
	check   *classify.Classifier
	epoch   wfp.Fact
	byRule  bool
	// unknown is why nothing is known by it, and partly of one family.
	unknown []packet.Cause
	partly  map[bool]string
	// gap is why they may not be all: nothing is proven by them.
	gap string
	// narrow is what of it has to do with a listener.
	about  *snapshot.WindowsListener
	narrow *filtering
}

// OfWindows is the answer about a listener of a Windows host.
type OfWindows struct {
	Of
	// Registry is what rules and settings alone say, where the filters of the engine decided.
	Registry *Answer
}

// Differs says that rules and settings say another thing than the filters that the engine holds.
func (o *OfWindows) Differs() bool {
	return o.Registry != nil && o.Registry.Verdict != o.Verdict && o.Verdict != packet.Unknown && o.Registry.Verdict != packet.Unknown
}

// NewWindows prepares questions about a Windows host.
func NewWindows(s *snapshot.Snapshot) *Windows {
	w := &Windows{snap: &s.Windows, coverage: s.Section("windows"), left: windowsLooks}
	w.drive, w.four = mpssvc.SystemDrive(w.snap), map[portOf]bool{}
	w.usualRPC = usualRPC(w.snap, w.drive)
	var paths []string
	for i := range w.snap.Listeners.List {
		if l := &w.snap.Listeners.List[i]; l.Addr == "0.0.0.0" {
			w.four[portOf{l.Proto, l.Port}] = true
		}
		paths = append(paths, pathOf(w.snap, w.drive, &w.snap.Listeners.List[i]))
	}
	if w.snap.Filters.Read.State == snapshot.Present {
		filters, subs := held(w.snap, w.drive, paths)
		w.held = &filtering{filters: filters, engine: wfp.New(filters, subs), check: classify.New(filters, subs), epoch: epochOf(filters), partly: partlyHeld(filters)}
	}
	p := mpssvc.Compile(w.snap)
	w.ruled = &filtering{filters: p.Filters, engine: wfp.New(p.Filters, p.Sublayers), check: classify.New(p.Filters, p.Sublayers), byRule: true}
	for _, why := range p.Unread {
		w.ruled.unknown = append(w.ruled.unknown, packet.Cause{Text: why})
	}
	w.ruled.gap = w.gap("firewall")
	if w.held != nil {
		w.held.gap = w.gap("filters")
	}
	return w
}

// partlyHeld are the families of which there is no filter in the layer that decides. A host that runs has some there, so that what was read
// is a part (netsh wfp show filters can be asked for one).
func partlyHeld(filters []wfp.Filter) map[bool]string {
	out := map[bool]string{}
	for v4, name := range map[bool]string{true: "IPv4", false: "IPv6"} {
		if !slices.ContainsFunc(filters, func(f wfp.Filter) bool { return f.V4 == v4 && f.Layer == wfp.RecvAccept }) {
			out[v4] = "the filters that were read have none of " + name + " in the layer that decides"
		}
	}
	return out
}

// looksOfAStep is what cutting a part by a filter costs, in looks.
const looksOfAStep = 10

// WindowsProfile is what counts of a profile of the firewall, and the interfaces that are in it.
type WindowsProfile struct {
	mpssvc.Settings
	Interfaces []string
}

// Profiles are the profiles of the firewall. Interfaces that are known not to be connected are in none.
func (w *Windows) Profiles() []WindowsProfile {
	var out []WindowsProfile
	list := w.snap.Adapters.List
	anyUp := slices.ContainsFunc(list, func(a snapshot.WindowsAdapter) bool { return a.Up })
	for _, s := range mpssvc.EffectiveSettings(&w.snap.Firewall) {
		p := WindowsProfile{Settings: s}
		for i := range list {
			of, known := mpssvc.ProfileOf(&list[i])
			if known && of == s.Profile && (!anyUp || list[i].Up) && len(list[i].Addrs) > 0 && list[i].Type != loopbackType {
				p.Interfaces = append(p.Interfaces, list[i].Name)
			}
		}
		out = append(out, p)
	}
	return out
}

// Within leaves unknown what is not answered before ctx ends.
func (w *Windows) Within(ctx context.Context) *Windows {
	w.ctx = ctx
	return w
}

// Tally is the count of the answers until now.
func (w *Windows) Tally() Tally { return w.tally }

// Listeners answers about listeners, by their places in the snapshot, for each origin.
func (w *Windows) Listeners(list []int, origins []zones.Origin) map[int][]OfWindows {
	out := map[int][]OfWindows{}
	for _, i := range list {
		l := &w.snap.Listeners.List[i]
		for o := range origins {
			for _, v4 := range w.families(l) {
				out[i] = append(out[i], w.listener(l, o, &origins[o], v4)...)
			}
		}
	}
	return out
}

// families are those that a listener takes. The tables of the kernel have a listener of each; PowerShell tells a socket for both as one
// of IPv6, as it does those of the kernel itself (http.sys, SMB). One of a single address of IPv4 is another socket.
func (w *Windows) families(l *snapshot.WindowsListener) []bool {
	if l.Family == 4 {
		return []bool{true}
	}
	if a, err := netip.ParseAddr(l.Addr); err != nil || !a.IsUnspecified() {
		return []bool{false}
	}
	if w.four[portOf{l.Proto, l.Port}] {
		return []bool{false}
	}
	return []bool{false, true}
}

// listener answers about one listener, origin and family: an answer, or none where the origin has no addresses of the family.
func (w *Windows) listener(l *snapshot.WindowsListener, at int, o *zones.Origin, v4 bool) []OfWindows {
	q := &windowsQuestion{w: w, l: l, o: o, v4: v4}
	if !o.Local && o.Index > 0 {
		q.adapter = &w.snap.Adapters.List[o.Index-1]
		if len(localAddrs(q.adapter, q.v4)) == 0 {
			return nil
		}
	}
	if q.sources(); len(q.from)+len(q.maybe) == 0 && !o.Local {
		return nil
	}
	out := OfWindows{Of: Of{Origin: at, V4: q.v4}}
	if w.held == nil || w.held.partly[q.v4] != "" && len(w.ruled.unknown) == 0 {
		out.Answer = q.answer(w.ruled)
	} else {
		out.Answer = q.answer(w.held)
		if len(w.ruled.unknown) == 0 {
			a := q.answer(w.ruled)
			out.Registry = &a
		}
	}
	w.tally.add(&out.Answer)
	return []OfWindows{out}
}

// add counts an answer.
func (t *Tally) add(a *Answer) {
	switch a.Verdict {
	case packet.Reachable:
		t.Reachable++
	case packet.Unreachable:
		t.Unreachable++
	default:
		t.Unknown++
	}
}

// noSource are addresses that nobody opens a connection from (RFC 6890).
var noSource = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("224.0.0.0/3"),
	netip.MustParsePrefix("::/128"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("::ffff:0:0/96"), netip.MustParsePrefix("ff00::/8"),
}

// spansOf are the sources of an origin, of one family.
func spansOf(o *packet.Origin, v4 bool) []wfp.Span {
	var except, out []wfp.Span
	for _, p := range slices.Concat(o.Except, noSource) {
		if p.Addr().Is4() == v4 {
			except = append(except, wfp.SpanOf(p))
		}
	}
	except = wfp.Union(except)
	for _, p := range o.From {
		if p.Addr().Is4() == v4 {
			out = append(out, wfp.SpanOf(p).Without(except)...)
		}
	}
	return wfp.Union(out)
}

// windowsQuestion is a question about one listener, origin and family.
type windowsQuestion struct {
	w       *Windows
	l       *snapshot.WindowsListener
	o       *zones.Origin
	adapter *snapshot.WindowsAdapter // nil of an origin on the host, and where the interfaces were not read
	v4      bool
	from    []wfp.Span
	maybe   []wfp.Span // who may be behind the adapter besides
	// neighbours are what likely gave.
	neighbours []netip.Addr
}

// known asks for each address that the listener can be reached by, and joins what comes out.
func (q *windowsQuestion) known(f *filtering) Answer {
	if len(f.unknown) > 0 {
		return Answer{Answer: reach.Answer{Verdict: packet.Unknown, Because: f.unknown}}
	}
	if why := f.partly[q.v4]; why != "" {
		return Answer{Answer: unknown(why)}
	}
	facts := q.listenerFacts(f.byRule)
	f, why := q.w.about(f, q.l, facts)
	if why != "" {
		return Answer{Answer: unknown(why)}
	}
	bound, err := netip.ParseAddr(q.l.Addr)
	bound = bound.Unmap().WithZone("")
	if q.v4 && bound.Is6() {
		bound = netip.IPv4Unspecified()
	}
	switch {
	case err != nil:
		return Answer{Answer: unknown("the address of the listener was not read")}
	case q.o.Network == zones.Mirrored:
		return Answer{Answer: unknown("the Hyper-V firewall decides what WSL in mirrored mode reaches")}
	case q.o.Local:
		return q.local(f, facts, bound)
	case bound.IsLoopback():
		return Answer{Checked: true, Answer: reach.Answer{
			Verdict: packet.Unreachable, StoppedBy: []packet.Cause{{Text: "it listens on the loopback address alone"}},
		}}
	}
	maps.Copy(facts, arrivalFacts(q.adapter, f.epoch, f.byRule))
	near := &filtering{engine: f.engine.For(facts), check: f.check.For(facts)}
	addrs := []netip.Addr{bound}
	elsewhere := false
	if q.adapter != nil {
		own := localAddrs(q.adapter, q.v4)
		if bound.IsUnspecified() {
			addrs = own
			slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return linkLocal(a) - linkLocal(b) })
		} else {
			elsewhere = !slices.Contains(own, bound)
		}
		if !near.engine.Asks(wfp.LocalAddress) {
			addrs = addrs[:1]
		}
	}
	out := Answer{Answer: stopped("what is sent to an address of the link comes from one of the link, and none of the sources is"), Checked: true}
	for i, addr := range addrs {
		if q.adapter != nil {
			facts[wfp.LocalAddress] = wfp.Fact{Addr: addr}
		}
		from := onItsLink(q.from, addr)
		if len(from) == 0 {
			continue
		}
		if a := q.ask(near, facts, addr, from); i == 0 {
			out = a
		} else {
			out.join(&a)
		}
	}
	why = ""
	switch {
	case out.Verdict == packet.Unreachable:
		why = q.byAnother(f, facts, bound)
	case out.Verdict != packet.Reachable:
	case elsewhere:
		why = "whether the interface takes packets for an address of another one (weak host model) was not read"
	default:
		why = q.machines()
	}
	if why != "" {
		return Answer{Answer: unknown(why)}
	}
	return out
}

// linkLocal sorts addresses of the link behind the others.
func linkLocal(a netip.Addr) int {
	if a.IsLinkLocalUnicast() {
		return 1
	}
	return 0
}

// linkPrefixes are the addresses that no router passes on (RFC 3927, RFC 4291).
var linkPrefixes = map[bool]netip.Prefix{true: netip.MustParsePrefix("169.254.0.0/16"), false: netip.MustParsePrefix("fe80::/10")}

// onItsLink are the sources from which a packet gets to an address: to one of the link none but those of the link.
func onItsLink(from []wfp.Span, to netip.Addr) []wfp.Span {
	if !to.IsLinkLocalUnicast() {
		return from
	}
	link := wfp.SpanOf(linkPrefixes[to.Is4()])
	var out []wfp.Span
	for _, s := range from {
		if x, ok := s.Overlap(link); ok {
			out = append(out, x)
		}
	}
	return out
}

// about leaves out what has nothing to do with a listener. The last one is kept: its questions come one after the other.
func (w *Windows) about(f *filtering, l *snapshot.WindowsListener, facts wfp.Facts) (*filtering, string) {
	if f.about != l {
		if why := w.spend(f); why != "" {
			return nil, why
		}
		f.about, f.narrow = l, &filtering{engine: f.engine.For(facts), check: f.check.For(facts), epoch: f.epoch, byRule: f.byRule}
	}
	return f.narrow, w.spend(f.narrow)
}

// spend takes what a question costs, and says why it cannot be asked any more.
func (w *Windows) spend(f *filtering) string {
	w.left -= 1 + 2*f.engine.Size()
	switch {
	case w.left < 0:
		return usedUp
	case w.ctx != nil && w.ctx.Err() != nil:
		return "there was no time left to ask"
	}
	return ""
}

// machines is why it is not known whether machines send what the filters of the host let through: the Hyper-V firewall filters between them
// and the host, and lets everything out unless it is told otherwise.
func (q *windowsQuestion) machines() string {
	if q.adapter == nil || q.adapter.Kind != snapshot.NetworkWSL && q.adapter.Kind != snapshot.NetworkHyperV {
		return ""
	}
	for _, s := range q.w.snap.HyperV.Settings {
		if s.DefaultOutboundAction != nil && *s.DefaultOutboundAction != 0 && (s.EnableFirewall == nil || *s.EnableFirewall != 0) {
			return "the Hyper-V firewall stops what machines send by default, and its rules are not part of the model"
		}
	}
	return ""
}

// worse orders answers: what is reachable by one address is reachable.
func worse(v packet.Verdict) int {
	return map[packet.Verdict]int{packet.Unreachable: 1, packet.Unknown: 2, packet.Reachable: 3}[v]
}

// local answers for processes of the host.
func (q *windowsQuestion) local(f *filtering, facts wfp.Facts, bound netip.Addr) Answer {
	at := bound
	if bound.IsUnspecified() {
		at = netip.IPv6Loopback()
		if q.v4 {
			at = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		}
	}
	loopback := snapshot.WindowsAdapter{Name: "loopback", Type: 24, ProfileRead: snapshot.Fact{State: snapshot.Error}}
	maps.Copy(facts, arrivalFacts(&loopback, wfp.Fact{Unknown: "loopback is in no quarantine"}, f.byRule))
	facts[wfp.Flags] = wfp.Fact{Number: wfp.FlagLoopback | wfp.FlagPlainLoopback}
	facts[wfp.LocalAddress] = wfp.Fact{Addr: at}
	return q.ask(&filtering{engine: f.engine.For(facts), check: f.check.For(facts)}, facts, at, []wfp.Span{{From: at, To: at}})
}

// ask asks the filters about packets for one address, and has the answer checked.
func (q *windowsQuestion) ask(f *filtering, facts wfp.Facts, to netip.Addr, from []wfp.Span) Answer {
	wq := &wfp.Question{V4: q.v4, Facts: facts, From: from, Ports: wfp.PortSpan{From: 1, To: 65535}, Witnesses: q.likely()}
	a := f.engine.Ask(wq)
	if q.w.left -= looksOfAStep * a.Steps; q.w.left < 0 {
		return Answer{Answer: unknown(usedUp)}
	}
	out := Answer{Answer: reach.Answer{Verdict: a.Verdict}}
	looked, err := f.check.Check(wq, &a)
	q.w.left -= looked
	if err != nil {
		q.w.tally.Unconfirmed++
		return Answer{Answer: unknown("the answer was not confirmed: " + err.Error())}
	}
	switch a.Verdict {
	case packet.Reachable:
		q.witness(&out, &a, to)
	case packet.Unreachable:
		out.Checked = true
		out.StoppedBy = causesOf(a.Parts, func(p *wfp.Part) []packet.Cause { return p.By })
		out.Certificate = []packet.Certificate{q.certificate(wq, &a, to)}
	default:
		out.Because = causesOf(a.Parts, func(p *wfp.Part) []packet.Cause { return p.Because })
	}
	return out
}

// maxLikely bounds the addresses that a witness has rather than others.
const maxLikely = 64

// likely are addresses that somebody behind the interface has: one of elsewhere (RFC 5737, RFC 3849), then neighbours.
func (q *windowsQuestion) likely() []netip.Addr {
	if q.neighbours != nil {
		return q.neighbours
	}
	q.neighbours = []netip.Addr{netip.AddrFrom4([4]byte{198, 51, 100, 7}), netip.MustParseAddr("2001:db8::7")}
	if q.adapter == nil {
		return q.neighbours
	}
	own := localAddrs(q.adapter, q.v4)
	for _, p := range zones.OnLink(q.adapter) {
		a := p.Addr()
		for range 7 {
			if len(q.neighbours) == maxLikely {
				return q.neighbours
			}
			if a = a.Next(); p.Contains(a) && !slices.Contains(own, a) && a.AsSlice()[len(a.AsSlice())-1] > 1 {
				q.neighbours = append(q.neighbours, a)
			}
		}
	}
	return q.neighbours
}

// witness fills in who gets through.
func (q *windowsQuestion) witness(out *Answer, a *wfp.Answer, to netip.Addr) {
	if to.IsUnspecified() {
		to = map[bool]netip.Addr{true: netip.AddrFrom4([4]byte{192, 0, 2, 1}), false: netip.MustParseAddr("2001:db8::1")}[q.v4]
	}
	out.Checked = true
	out.Witness = &packet.Packet{
		In: q.in(), Src: a.Witness.Addr(), Dst: to, Proto: q.l.Proto, Sport: a.Witness.Port(), Dport: uint16(q.l.Port),
	}
	out.Fate = &trace.Fate{Fate: trace.Local, Socket: fmt.Sprintf("%s %s (%s)", q.l.Proto, netip.AddrPortFrom(bindOf(q.l), uint16(q.l.Port)), Serves(q.l))}
	for i := range a.Parts {
		p := &a.Parts[i]
		if p.Verdict == packet.Reachable && p.From.Compare(a.Witness.Addr()) <= 0 && !p.To.Less(a.Witness.Addr()) {
			out.Path = p.By
			for _, c := range p.By {
				out.Fate.Path = append(out.Fate.Path, trace.Step{Where: c.Where, Text: c.Text, Effect: "permit"})
			}
		}
	}
	out.Restricted = restricted(a)
}

func bindOf(l *snapshot.WindowsListener) netip.Addr {
	a, _ := netip.ParseAddr(l.Addr)
	return a
}

// Serves names who listens: the service whose socket it is, or the program.
func Serves(l *snapshot.WindowsListener) string {
	switch {
	case l.Service != "":
		return l.Service
	case len(l.Services) == 1:
		return l.Services[0]
	}
	return cmp.Or(l.Process, map[bool]string{true: "System"}[l.PID == systemPID], "unknown")
}

// few is how many bits fewer the addresses that get through have than those that do not, of a list of who may.
const few = 8

// restricted says that only a small part of the addresses gets through.
func restricted(a *wfp.Answer) bool {
	open, shut := 0, 0
	for i := range a.Parts {
		bits := wide(a.Parts[i].Span)
		if a.Parts[i].Verdict == packet.Unreachable {
			shut = max(shut, bits)
		} else {
			open = max(open, bits)
		}
	}
	return open+few <= shut
}

// wide is how many bits the addresses of a span differ in.
func wide(s wfp.Span) int {
	a, b := s.From.AsSlice(), s.To.AsSlice()
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			bits := 0
			for ; x != 0; x >>= 1 {
				bits++
			}
			return bits + 8*(len(a)-i-1)
		}
	}
	return 0
}

// in is where packets of the origin come in, by its name.
func (q *windowsQuestion) in() string {
	switch {
	case q.o.Local:
		return "local"
	case q.adapter != nil:
		return q.adapter.Name
	}
	return "any"
}

// causesOf are the causes of all parts, each once.
func causesOf(parts []wfp.Part, of func(*wfp.Part) []packet.Cause) []packet.Cause {
	var out []packet.Cause
	seen := map[packet.Cause]bool{}
	for i := range parts {
		for _, c := range of(&parts[i]) {
			if !seen[c] {
				seen[c] = true
				out = append(out, c)
			}
		}
	}
	return out
}

// certificate is the proof in the form that is written: source ranges, each with the filter that stops it.
func (q *windowsQuestion) certificate(wq *wfp.Question, a *wfp.Answer, to netip.Addr) packet.Certificate {
	region := func(spans []wfp.Span, ports wfp.PortSpan) packet.Region {
		r := packet.Region{
			In: q.in(), V4: q.v4, Proto: int(wq.Facts[wfp.Protocol].Number), Dst: []string{to.String() + "-" + to.String()},
			Sport: []string{fmt.Sprintf("%d-%d", ports.From, ports.To)}, Dport: []string{fmt.Sprintf("%d-%d", q.l.Port, q.l.Port)},
		}
		for _, s := range spans {
			r.Src = append(r.Src, s.From.String()+"-"+s.To.String())
		}
		return r
	}
	c := packet.Certificate{Question: region(wq.From, wq.Ports)}
	for i := range a.Parts {
		p := &a.Parts[i]
		cube := packet.Cube{Region: region([]wfp.Span{p.Span}, p.Ports)}
		if len(p.By) > 0 {
			cube.By = p.By[0]
		}
		c.Cubes = append(c.Cubes, cube)
	}
	return c
}
