package exposure

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// AskWindows answers a question in words about a Windows host: who reaches its listeners. An error says which word fits nothing there.
func AskWindows(ctx context.Context, s *snapshot.Snapshot, m *zones.Map, q *Words) (Answer, error) {
	w := NewWindows(s).Within(ctx)
	if q.Proto != "tcp" && q.Proto != "udp" {
		return Answer{Answer: unknown("what listens on a Windows host is known of tcp and udp alone, not of " + q.Proto)}, nil
	}
	if q.State != "" && q.State != packet.New {
		return Answer{Answer: unknown("of a Windows host it is known who opens connections, not what passes in them")}, nil
	}
	to, isAddr := strings.CutPrefix(q.To, "addr:")
	addr, err := netip.ParseAddr(to)
	switch {
	case isAddr && err != nil:
		return Answer{}, fmt.Errorf("to %q: want addr:IP", q.To)
	case isAddr && !ofHost(w.snap, addr.Unmap()), !isAddr && q.To != zones.Host:
		return Answer{Answer: unknown("what a Windows host passes on between its interfaces is not part of the model")}, nil
	}
	origins, err := q.windowsOrigins(m)
	if err != nil {
		return Answer{}, err
	}
	list := w.named(q, addr.Unmap())
	if len(list) == 0 && w.snap.Listeners.Read.State != snapshot.Present {
		return Answer{Answer: unknown("what listens was not read: " + w.snap.Listeners.Read.Reason)}, nil
	}
	out := Answer{Answer: reach.Answer{Verdict: packet.Unreachable}, Checked: true}
	if len(list) == 0 {
		if why := w.unseen(q); why != "" {
			return Answer{Answer: unknown(why)}, nil
		}
		out.StoppedBy = []packet.Cause{{Text: "nothing listens there"}}
	}
	asked := 0
	for _, l := range list {
		for o := range origins {
			for _, v4 := range w.families(l) {
				for _, a := range w.listener(l, o, &origins[o], v4) {
					asked++
					out.join(&a.Answer)
				}
			}
		}
	}
	if why := w.lacking(q); why != "" && out.Verdict == packet.Unreachable {
		return Answer{Answer: unknown(why)}, nil
	}
	if asked == 0 && len(list) > 0 {
		out.StoppedBy = []packet.Cause{{Text: "no such source is behind these interfaces"}}
	}
	return out, nil
}

// lacking is why somebody may get in whom no answer is about.
func (w *Windows) lacking(q *Words) string {
	if r := w.snap.Listeners.Read; r.State != snapshot.Present {
		return "not all that listens was read: " + r.Reason
	}
	if why := w.gap("listeners"); why != "" {
		return "not all that listens was read: " + why
	}
	if q.From == zones.Host {
		return ""
	}
	if r := w.snap.Adapters.Read; r.State != snapshot.Present {
		return "not all interfaces were read: " + r.Reason
	}
	if why := w.gap("adapters"); why != "" {
		return "not all interfaces were read: " + why
	}
	return ""
}

// unseen is why something may have a port though no socket does.
func (w *Windows) unseen(q *Words) string {
	told := func(l snapshot.WindowsListener) bool { return l.Proto == q.Proto }
	if q.Proto == "udp" && !slices.ContainsFunc(w.snap.Listeners.List, told) {
		return "no socket of UDP was told (Get-NetUDPEndpoint)"
	}
	for i := range w.snap.Networks.List {
		n := &w.snap.Networks.List[i]
		for _, p := range n.Ports {
			if p.Proto == q.Proto && (q.Dport == 0 || q.Dport == p.Port) {
				return fmt.Sprintf("the network %s translates port %d to %s, which is not part of the model", n.Name, p.Port, net.JoinHostPort(p.ToAddr, strconv.Itoa(p.ToPort)))
			}
		}
	}
	machines := func(a snapshot.WindowsAdapter) bool { return slices.Contains(translated, a.Kind) }
	if !w.snap.Networks.MapsTold && slices.ContainsFunc(w.snap.Adapters.List, machines) {
		return "which ports the host translates for its machines, without a socket, was not told (Get-NetNatStaticMapping)"
	}
	return ""
}

// most is how many causes of many answers are kept.
const most = 200

// join adds an answer about another listener or origin: what any of them says is reachable is.
func (a *Answer) join(b *Answer) {
	switch {
	case worse(a.Verdict) > worse(b.Verdict) || a.Verdict == packet.Reachable:
		return
	case worse(b.Verdict) > worse(a.Verdict):
		*a = *b
		return
	}
	a.Checked = a.Checked && b.Checked
	for _, c := range b.StoppedBy {
		if !slices.Contains(a.StoppedBy, c) && len(a.StoppedBy) < most {
			a.StoppedBy = append(a.StoppedBy, c)
		}
	}
	for _, c := range b.Because {
		if !slices.Contains(a.Because, c) && len(a.Because) < most {
			a.Because = append(a.Because, c)
		}
	}
	a.Certificate = append(a.Certificate, b.Certificate...)
}

// named are the listeners that a question is about: those at the port, or one that nobody opened yet.
func (w *Windows) named(q *Words, addr netip.Addr) []*snapshot.WindowsListener {
	var out []*snapshot.WindowsListener
	for i := range w.snap.Listeners.List {
		l := &w.snap.Listeners.List[i]
		at, err := netip.ParseAddr(l.Addr)
		meant := err == nil && (!addr.IsValid() || at == addr || at.IsUnspecified() && slices.Contains(w.families(l), addr.Is4()))
		if l.Proto == q.Proto && (q.Dport == 0 || q.Dport == l.Port) && meant {
			out = append(out, l)
		}
	}
	if !q.Unbound || q.Dport == 0 {
		return out
	}
	for family, any := range map[int]string{4: "0.0.0.0", 6: "::"} {
		if !slices.ContainsFunc(out, func(l *snapshot.WindowsListener) bool { return l.Family == family }) {
			out = append(out, &snapshot.WindowsListener{Proto: q.Proto, Family: family, Addr: any, Port: q.Dport, OwnerState: snapshot.OwnersUnknown})
		}
	}
	slices.SortStableFunc(out, func(a, b *snapshot.WindowsListener) int { return a.Family - b.Family })
	return out
}

func ofHost(w *snapshot.Windows, addr netip.Addr) bool {
	return addr.IsLoopback() || slices.ContainsFunc(w.Adapters.List, func(a snapshot.WindowsAdapter) bool {
		return slices.Contains(localAddrs(&a, addr.Is4()), addr)
	})
}

// windowsOrigins are where the packets of a question come from.
func (w *Words) windowsOrigins(m *zones.Map) ([]zones.Origin, error) {
	if w.By.Named() {
		return nil, fmt.Errorf("from %q: processes of a Windows host are not told apart", w.From)
	}
	name, isIface := strings.CutPrefix(w.From, "iface:")
	var out []zones.Origin
	if w.From == zones.Host {
		return []zones.Origin{{Zone: zones.Host, Origin: packet.Origin{Local: true}}}, nil
	}
	if err := spelledFrom(w.From); err != nil {
		return nil, err
	}
	for _, o := range m.Origins {
		if isIface && o.Interface != name || !isIface && o.Zone != w.From {
			continue
		}
		if isIface {
			o.Except = nil
		}
		if len(w.Src) > 0 {
			o.From, o.Maybe = intersect(o.From, w.Src), intersect(o.Maybe, w.Src)
			if isIface {
				o.From, o.Maybe = w.Src, nil
			}
			if len(o.From)+len(o.Maybe) == 0 {
				continue
			}
		}
		out = append(out, o)
	}
	switch {
	case len(out) > 0:
		return out, nil
	case isIface:
		return nil, fmt.Errorf("from %q: there is no such interface, or it is not connected", w.From)
	}
	return nil, fmt.Errorf("from %q: nothing is in that zone", w.From)
}
