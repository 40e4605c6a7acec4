package exposure

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// Words are a question as a person asks it.
type Words struct {
	From string // a zone, host, or iface:NAME
	To   string // host, a zone, iface:NAME, addr:IP or guest:NAME
	// Src bounds the sources.
	Src     []netip.Prefix
	Proto   string
	Dport   int // 0 is any
	Unbound bool
	State   packet.State
	// By are the processes of the host that are meant, of From alone; none is all that From has.
	By Who
}

// Networks are the zones that packets come from and lead to.
var Networks = []string{zones.Management, zones.Runtime, zones.Workload, zones.External}

// Question finds the origins and the target on a host. An error says which word fits nothing there. What depends on a
// section that was not read is no error: Unseen tells, and the answer is unknown.
func (w *Words) Question(s *snapshot.Snapshot, m *zones.Map) (*reach.Question, error) {
	q := &reach.Question{Proto: w.Proto, Dport: w.Dport, Unbound: w.Unbound, State: w.State}
	var err error
	if q.From, err = w.origins(s, m); err != nil {
		return nil, err
	}
	name, isIface := strings.CutPrefix(w.To, "iface:")
	addr, isAddr := strings.CutPrefix(w.To, "addr:")
	guest, isGuest := strings.CutPrefix(w.To, "guest:")
	switch {
	case isGuest:
		if q.To.Addr, err = guestAddr(s, guest); err != nil {
			return nil, fmt.Errorf("to %q: %w", w.To, err)
		}
	case isIface:
		l := s.Network.LinkNamed(name)
		if l == nil {
			return nil, fmt.Errorf("to %q: there is no such interface", w.To)
		}
		q.To.Oifs = []int{l.Index}
	case isAddr:
		if q.To.Addr, err = netip.ParseAddr(addr); err != nil {
			return nil, fmt.Errorf("to %q: want addr:IP", w.To)
		}
		q.To.Addr = q.To.Addr.Unmap().WithZone("")
	case w.To == zones.Host:
		q.To.Host = true
	default:
		if err = spelledTo(w.To); err != nil {
			return nil, err
		}
		for _, i := range m.Interfaces {
			if i.Zone == w.To && !i.Port && !i.Inert {
				q.To.Oifs = append(q.To.Oifs, i.Index)
			}
		}
		if len(q.To.Oifs) == 0 {
			return nil, fmt.Errorf("to %q: no interface is in that zone", w.To)
		}
	}
	if onBridge := func(o packet.Origin) bool {
		l := s.Network.Link(o.Index)
		return !o.Local && l != nil && (l.Kind == "bridge" || s.Network.BridgeOf(l) != nil)
	}; slices.ContainsFunc(q.From, onBridge) {
		q.To.Oifs = withPorts(s, m, q.To.Oifs, isIface)
	}
	return q, nil
}

// guestAddr is the address of a virtual machine: the first that is known of it. What the host lets through to it is asked; whether the machine
// serves anything there nobody sees from outside.
func guestAddr(s *snapshot.Snapshot, name string) (netip.Addr, error) {
	known := false
	for _, m := range s.Runtimes.Machines {
		if m.Name != name {
			continue
		}
		known = true
		for _, n := range m.NICs {
			for _, a := range n.Addrs {
				if addr, err := netip.ParseAddr(a); err == nil {
					return addr.Unmap(), nil
				}
			}
		}
	}
	if known {
		return netip.Addr{}, errors.New("no address of the machine is known: ask with addr:IP")
	}
	return netip.Addr{}, errors.New("there is no such machine")
}

// withPorts adds to bridges their ports: also what the bridge switches gets to its neighbours. Those with a zone of their own are left out, unless
// the bridge was named itself.
func withPorts(s *snapshot.Snapshot, m *zones.Map, oifs []int, all bool) []int {
	out := slices.Clone(oifs)
	for _, i := range m.Interfaces {
		l := s.Network.Link(i.Index)
		if b := s.Network.BridgeOf(l); b != nil && slices.Contains(oifs, b.Index) && (i.Port || all) && !slices.Contains(out, i.Index) {
			out = append(out, i.Index)
		}
	}
	return out
}

func (w *Words) origins(s *snapshot.Snapshot, m *zones.Map) ([]packet.Origin, error) {
	if name, ok := strings.CutPrefix(w.From, "iface:"); ok {
		if w.By.Named() {
			return nil, fmt.Errorf("from %q: what comes in by an interface is sent by no process of the host", w.From)
		}
		l := s.Network.LinkNamed(name)
		if l == nil {
			return nil, fmt.Errorf("from %q: there is no such interface", w.From)
		}
		o := packet.Origin{Index: l.Index, From: everywhere}
		if len(w.Src) > 0 {
			o.From = w.Src
		}
		return []packet.Origin{o}, nil
	}
	if w.From == zones.Host {
		return w.senders(s, m, packet.Origin{Local: true, From: w.Src}, zones.Host)
	}
	if err := spelledFrom(w.From); err != nil {
		return nil, err
	}
	var out []packet.Origin
	for _, z := range m.Origins {
		if z.Zone != w.From && (w.From != zones.External || z.Zone != zones.Unclassified) {
			continue
		}
		o := z.Origin
		if len(w.Src) > 0 {
			if o.From = intersect(z.From, w.Src); len(o.From) == 0 {
				continue
			}
		}
		switch {
		case o.Local && (len(w.Src) == 0 || w.By.Named()):
			parts, err := w.senders(s, m, o, z.Zone)
			if err != nil {
				return nil, err
			}
			out = append(out, parts...)
		case !w.By.Named():
			out = append(out, o)
		}
	}
	if len(out) == 0 && w.By.Named() {
		return nil, fmt.Errorf("from %q: no process of the host is in that zone", w.From)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("from %q: nothing is in that zone", w.From)
	}
	return out, nil
}

// senders parts an origin of processes by who they are, if rules ask for that or somebody is named. Who can be anybody is also asked about as a
// process that is not known.
func (w *Words) senders(s *snapshot.Snapshot, m *zones.Map, o packet.Origin, zone string) ([]packet.Origin, error) {
	by, anybody := []packet.Sender{{}}, true
	ids, cgroup, programs := m.Askers()
	var err error
	switch {
	case w.By.Named():
		if by, anybody, err = w.By.senders(s, m, zone); err != nil {
			return nil, err
		}
	case !ids && !cgroup && (zone == zones.Host || !programs):
		by = nil
	case zone != zones.Host || cgroup:
		by, anybody = m.Senders(zone)
	}
	if len(by) == 0 {
		return []packet.Origin{o}, nil
	}
	var out []packet.Origin
	for i := range by {
		known := o
		known.By = &by[i]
		out = append(out, known)
	}
	if anybody {
		out = append(out, o)
	}
	return out, nil
}

// intersect is the prefixes that are in both lists; an empty first list is everything.
func intersect(a, b []netip.Prefix) []netip.Prefix {
	if len(a) == 0 {
		return b
	}
	var out []netip.Prefix
	for _, x := range a {
		for _, y := range b {
			switch {
			case x.Overlaps(y) && x.Bits() >= y.Bits():
				out = append(out, x)
			case x.Overlaps(y):
				out = append(out, y)
			}
		}
	}
	return out
}

// Unseen is the answer to every question about a host whose interfaces were not read; nil where they were.
func Unseen(s *snapshot.Snapshot) *Answer {
	c := s.Section("network")
	if c.Status == snapshot.OK || len(s.Network.Links) > 0 {
		return nil
	}
	return &Answer{Answer: unknown("network was not read: " + strings.Join(c.Reasons, "; "))}
}
