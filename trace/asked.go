package trace

import (
	"bytes"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// Ask has programs that packets meet asked what they do with them, by one that runs them. Without it, and of a region, what they do is not known.
func (t *Tracer) Ask(r packet.Runner) { t.runner, t.asked = r, map[askKey]asked{} }

// askKey is what the answer of a program depends on.
type askKey struct {
	at             packet.Attached
	id             uint32
	mark, priority uint32
	index, from    int
	data           string
}

type asked struct {
	ran packet.Ran
	why string // it was not run
}

// maxAsked bounds the answers that are kept.
const maxAsked = 10_000

// program is one that is asked.
type program struct {
	at       packet.Attached
	id       uint32
	name     string
	tag      string
	where    string // for people
	tcx      bool
	protocol uint16 // of a filter of traffic control; 0 is all
}

func (p *program) String() string { return "the program " + p.name + " at " + p.where }

// tells says whether what all programs of an interface do can be found out.
func (w *walk) tells(l *link) bool { return w.runner != nil && w.region == nil && l.Told() }

// programsAt are those that packets of an interface meet at one of its hooks, in their order.
func (l *link) programsAt(hook packet.Hook) (list []program) {
	for i := range l.Programs {
		p := &l.Programs[i]
		q := program{id: p.ID, name: p.Name, tag: p.Tag, where: p.Place + " of " + l.Name, at: packet.AtIngress}
		switch p.Place {
		case snapshot.PlaceXDP:
			q.at = packet.AtXDP
		case snapshot.PlaceTCXEgress, snapshot.PlaceTCEgress:
			q.at = packet.AtEgress
		}
		q.tcx = p.Place == snapshot.PlaceTCXIngress || p.Place == snapshot.PlaceTCXEgress
		if p.Protocol != ethAll {
			q.protocol = p.Protocol
		}
		if (q.at == packet.AtEgress) == (hook == packet.Egress) {
			list = append(list, q)
		}
	}
	return list
}

// ethAll is a filter for all protocols (ETH_P_ALL).
const ethAll = 3

// Verdicts of programs (enum xdp_action, enum tcx_action_base, TC_ACT_*).
const (
	xdpPass, xdpTX, xdpRedirect                = 2, 3, 4
	tcNext                                     = 0xffffffff
	tcOK, tcShot, tcStolen, tcRedirect, tcTrap = 0, 2, 4, 7, 8
)

// decision is what a program does with a packet.
type decision uint8

const (
	onward    decision = iota // the next program is asked
	through                   // no other of traffic control is
	stopped                   // it is dropped
	elsewhere                 // it goes another way
)

// decides is what a verdict means (tcx_action_code, cls_bpf_exec_opcode, bpf_prog_run_xdp).
func (p *program) decides(verdict uint32) decision {
	switch {
	case p.at == packet.AtGets || p.at == packet.AtSends:
		return map[bool]decision{true: onward, false: stopped}[verdict&1 == 1]
	case p.at == packet.AtXDP && verdict == xdpPass:
		return onward
	case p.at == packet.AtXDP && (verdict == xdpTX || verdict == xdpRedirect):
		return elsewhere
	case p.at == packet.AtXDP:
		return stopped
	case verdict == tcOK:
		return through
	case verdict == tcShot, !p.tcx && (verdict == tcStolen || verdict == tcTrap):
		return stopped
	case verdict == tcRedirect:
		return elsewhere
	}
	return onward
}

// passes is the programs of an interface at a hook: a packet that they let pass is afterwards what they made of it. What answers it has to pass those at
// the other hook.
func (w *walk) passes(l *link, hook packet.Hook) (Fate, bool) {
	if !w.tells(l) {
		return Fate{}, w.undisturbed(l, hook)
	}
	other := packet.Egress
	if hook == packet.Egress {
		other = packet.Ingress
	}
	there, back := l.programsAt(hook), l.programsAt(other)
	if len(there)+len(back) == 0 {
		return Fate{}, true
	}
	switch s := &w.skb; {
	case s.link == nil:
		w.abort(nil, "what programs of "+l.Name+" do with packets that have no Ethernet header")
		return Fate{}, false
	case s.fragment == whole && w.p.Frag != "" && len(there) > 0:
		w.abort(nil, "what programs of "+l.Name+" do with the fragments that a datagram is parted into again")
		return Fate{}, false
	}
	if by := w.ask(there, l, hook, false); by != "" || w.stuck != nil {
		return w.drop("program"), false
	}
	w.screened = w.screened || len(there) > 0
	if w.p.Frag != "" || !w.skb.hasPorts() {
		return Fate{}, true
	}
	if by := w.ask(back, l, other, true); by != "" && w.choose(2, nil, by+" lets no answer pass") == 1 {
		return w.drop("program"), false
	}
	return Fate{}, w.stuck == nil
}

// ask asks programs one after the other about the packet, or about an answer to it; it names the one that stops it. Where it cannot be told what
// becomes of the packet, the walk is stuck.
func (w *walk) ask(list []program, l *link, hook packet.Hook, answer bool) (by string) {
	decided := false
	for i := range list {
		p := &list[i]
		if p.at != packet.AtXDP && decided || p.protocol != 0 && p.protocol != w.skb.etherType() {
			continue
		}
		switch d := w.askOne(p, l, hook, answer); {
		case w.stuck != nil:
			return ""
		case d == stopped:
			w.say("%s drops it", p)
			return p.String()
		case d == elsewhere:
			w.abort(nil, p.String()+" sends packets another way")
			return ""
		case d == through:
			decided = true
		}
	}
	return ""
}

// askOne asks one program about every way to fill in what the question leaves open that is tried. They have to agree.
func (w *walk) askOne(p *program, l *link, hook packet.Hook, answer bool) (d decision) {
	var before, after [][]byte
	var last packet.Ran
	s := &w.skb
	for k := range fills {
		f := w.frame(l, k)
		if answer {
			answered(f)
		}
		a := w.run1(p, f)
		switch {
		case a.why != "":
			w.abort(nil, p.String()+" is not asked: "+a.why)
			return d
		case a.ran.Reads.Mark && (answer || s.mark.unk != 0), a.ran.Reads.Priority && (answer || s.priority.unk != 0):
			w.abort(nil, p.String()+" goes by a mark that is not known")
			return d
		case k > 0 && p.decides(a.ran.Verdict) != d, k > 0 && (a.ran.Mark != last.Mark || a.ran.Priority != last.Priority):
			w.abort(nil, p.String()+" goes by what the question leaves open")
			return d
		}
		d, last = p.decides(a.ran.Verdict), a.ran
		before, after = append(before, f.Data), append(after, a.ran.Data)
	}
	if answer || d == stopped || d == elsewhere || p.at == packet.AtGets || p.at == packet.AtSends {
		return d
	}
	w.rewrites = w.rewrites || last.Reads.Bytes
	if p.at != packet.AtXDP {
		w.given = w.given || last.Reads.Writes
		s.mark.v, s.priority.v = last.Mark, last.Priority
	}
	switch header, rest := s.sound(after); {
	case !s.rewritten(before, after), header && !rest, !header && hook == packet.Egress:
		w.abort(nil, p.String()+" makes another packet of it")
	case !header: // ip_rcv_core
		w.say("%s leaves a wrong checksum", p)
		return stopped
	}
	if !slices.EqualFunc(before, after, bytes.Equal) {
		s.altered = true
		for i := range w.pieces {
			w.pieces[i].over = true
		}
	}
	return d
}

// run1 asks a program once for each frame.
func (w *walk) run1(p *program, f *packet.Frame) asked {
	k := askKey{p.at, p.id, f.Mark, f.Priority, f.Index, f.From, string(f.Data)}
	a, ok := w.asked[k]
	if !ok {
		var err error
		if a.ran, err = w.runner.Run(p.at, p.id, p.tag, f); err != nil {
			a.why = err.Error()
		}
		if len(w.asked) < maxAsked {
			w.asked[k] = a
		}
	}
	return a
}

// rewritten puts what a program made of frames into the packet: bytes that it changed, alike in all. It reports false where it is another packet by
// its length, its kind or the layout of its headers.
func (s *skb) rewritten(before, after [][]byte) bool {
	least := len(s.link) + len(s.nh)
	if s.later() {
		least = len(s.link) + s.thoff
	}
	for k := range before {
		if len(before[k]) != len(after[k]) {
			return false
		}
		if slices.Equal(before[k], after[k]) {
			continue
		}
		if !bytes.Equal(before[k][least:], after[k][least:]) {
			return false
		}
	}
	for i := range least {
		same, changed := true, false
		for k := range before {
			same = same && after[k][i] == after[0][i]
			changed = changed || after[k][i] != before[k][i]
		}
		if changed && !s.put(i, after[0][i], same) {
			return false
		}
	}
	return true
}

// sound says whether the checksums of frames are right: that of a header of IPv4, and that behind it.
func (s *skb) sound(frames [][]byte) (header, rest bool) {
	header, rest = true, true
	for _, f := range frames {
		b := slices.Clone(f)
		if len(b) < 14+s.thoff {
			return false, false
		}
		s.sum(b[14:])
		for i := range b {
			switch {
			case b[i] == f[i]:
			case s.v4 && (i == 24 || i == 25):
				header = false
			default:
				rest = false
			}
		}
	}
	return header, rest
}

// put writes one byte of the frame. What has another value each time stays open, which only checksums may.
func (s *skb) put(i int, b byte, known bool) bool {
	if i < len(s.link) {
		if i < 6 || i >= 12 {
			return false // another receiver, or another protocol
		}
		s.link[i], s.linkUnk[i] = b, 0
		return known
	}
	i -= len(s.link)
	version, next := 0, 9
	if !s.v4 {
		next = 6
	}
	switch {
	case i == version || i == next || i >= 2 && i < 4 && s.v4 || i >= 4 && i < 6 && !s.v4, i == s.thoff+12 && s.proto == packet.TCP:
		return false
	case !known && !s.checksumAt(i):
		return false
	}
	s.nh[i], s.unk[i] = b, 0
	if !known || s.checksumAt(i) {
		s.unk[i] = 0xff
	}
	return true
}

// checksumAt says whether a byte is of a checksum.
func (s *skb) checksumAt(i int) bool {
	at := map[uint8]int{packet.TCP: 16, packet.UDP: 6, packet.UDPLite: 6, packet.ICMP: 2, packet.ICMPv6: 2}
	n, ok := at[s.proto]
	return s.v4 && (i == 10 || i == 11) || ok && (i == s.thoff+n || i == s.thoff+n+1)
}

// known says whether the kernel told which program each of some names is.
func known(list []snapshot.CgroupProgram, names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		return !slices.ContainsFunc(list, func(p snapshot.CgroupProgram) bool { return p.Name == name })
	}) && !slices.ContainsFunc(list, func(p snapshot.CgroupProgram) bool { return p.Addresses == nil && p.ID == 0 })
}

// unknownOf are those of cgroups of which only a run tells what they do.
func unknownOf(list []snapshot.CgroupProgram, at packet.Attached, where string) (out []program) {
	for i := range list {
		if p := &list[i]; p.Addresses == nil {
			out = append(out, program{at: at, id: p.ID, name: p.Name, tag: p.Tag, where: where})
		}
	}
	return out
}

// askGuard asks the programs of a socket's cgroup about the packet, and those that see what it sends about an answer; asked is false where they
// cannot be.
func (w *walk) askGuard(g *guard, name string) (asked, passes bool) {
	if w.runner == nil || w.region != nil || !g.tells || w.in == nil || w.skb.fragment == whole && w.p.Frag != "" {
		return false, false
	}
	if w.ask(unknownOf(g.gets, packet.AtGets, "the cgroup of "+name), w.in, packet.Ingress, false) != "" {
		return true, false
	}
	if w.skb.proto != packet.TCP || w.stuck != nil {
		return true, true
	}
	by := w.ask(unknownOf(g.sends, packet.AtSends, "the cgroup of "+name), w.in, packet.Egress, true)
	return true, by == "" || w.choose(2, nil, by+" lets no answer pass") == 0
}

// askSends asks those that see what the process sends.
func (w *walk) askSends(sends []snapshot.CgroupProgram) (asked, passes bool) {
	list := unknownOf(sends, packet.AtSends, "the cgroup of the process")
	if w.runner == nil || w.region != nil || w.out == nil || !known(sends, nil) {
		return false, false
	}
	return true, w.ask(list, w.out, packet.Egress, false) == ""
}
