package trace

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// guard is the programs that see what a socket gets and sends.
type guard struct {
	gets, sends []snapshot.CgroupProgram
	unsure      string // why it cannot be told what they do
	tells       bool   // they can be asked
}

// readGuards notes the programs of sockets by their names: of several that share one the kernel takes any.
func (t *Tracer) readGuards() {
	t.guards = map[string]*guard{}
	for i := range t.sockets {
		s := &t.sockets[i]
		if g := t.guards[s.name]; g != nil {
			if len(s.Programs) > 0 && g.unsure == "" {
				g.unsure, g.tells = filters(s), false
			}
			continue
		}
		g := new(guard)
		var mixed bool
		g.gets, g.sends, mixed = t.snap.Listeners.Gate(s.Socket)
		switch {
		case len(s.Programs) > 0:
			g.unsure = filters(s)
			g.tells = !mixed && known(slices.Concat(g.gets, g.sends), s.Programs)
		case mixed:
			g.unsure = "sockets that share " + s.name + " are in cgroups with other programs"
		}
		if len(g.gets) > 0 || len(g.sends) > 0 || g.unsure != "" {
			t.guards[s.name] = g
		}
	}
}

func filters(s *socket) string {
	return "a program filters what the cgroup of " + s.name + " gets and sends: " + strings.Join(s.Programs, ", ")
}

// gateMarks are the addresses of one family that programs of cgroups decide by.
func (t *Tracer) gateMarks(v4 bool) (list []netip.Prefix) {
	for i := range t.snap.Listeners.Cgroups {
		c := &t.snap.Listeners.Cgroups[i]
		for _, p := range append(snapshot.Prefixes(c.Gets), snapshot.Prefixes(c.Sends)...) {
			if p.Addr().Is4() == v4 && p.Bits() > 0 && !slices.Contains(list, p) {
				list = append(list, p)
			}
		}
	}
	return list
}

// letsIn says whether the programs of a socket's cgroup let the packet through to it (sk_filter_trim_cap), and what it answers out again.
func (w *walk) letsIn(name string) bool {
	g := w.guards[name]
	if g == nil {
		return true
	}
	switch asked, passes := w.askGuard(g, name); {
	case w.stuck != nil || asked && !passes:
		return false
	case !asked && g.unsure != "" && w.choose(2, nil, g.unsure) == 1:
		return false
	}
	open, passes := false, true
	if len(snapshot.Prefixes(g.gets))+len(snapshot.Prefixes(g.sends)) > 0 {
		open, passes = w.openSource()
	}
	if open {
		return passes
	}
	src := w.skb.src()
	if snapshot.Stopper(g.gets, src) != "" {
		return false
	}
	by := snapshot.Stopper(g.sends, src)
	return by == "" || w.skb.proto != packet.TCP || w.choose(2, nil, "the program "+by+" of the cgroup of "+name+" lets no answer pass") == 0
}

// letsOut says whether the programs of the sender's cgroup let the packet of a process leave (ip_finish_output).
func (w *walk) letsOut() bool {
	sends, _ := w.snap.Listeners.Sending(w.p.By.InCgroup())
	if len(sends) == 0 {
		return true
	}
	switch asked, passes := w.askSends(sends); {
	case w.stuck != nil || asked && !passes:
		return false
	case asked:
	default:
		for _, name := range snapshot.UnknownPrograms(sends) {
			if w.choose(2, nil, "a program filters what the cgroup of the process sends: "+name) == 1 {
				return false
			}
		}
	}
	if len(snapshot.Prefixes(sends)) == 0 {
		return true
	}
	if open, passes := w.openAddr('d'); open {
		return passes
	}
	return snapshot.Stopper(sends, w.skb.dst()) == ""
}

// directed says that a program is asked where the process sends to, before there is a packet (__cgroup_bpf_run_filter_sock_addr).
func (w *walk) directed() bool {
	_, steers := w.snap.Listeners.Sending(w.p.By.InCgroup())
	if len(steers) == 0 || w.skb.proto != packet.TCP && w.skb.proto != packet.UDP && w.skb.proto != packet.UDPLite {
		return false
	}
	w.abort(nil, "a program chooses where the cgroup of the process sends to: "+strings.Join(steers, ", "))
	return true
}

// putCgroup loads the cgroup at a level (nft_sock_get_eval_cgroupv2); the rule ends where there is none so deep.
func (w *walk) putCgroup(at int, c *snapshot.Cgroup, key *ruleset.SocketKey) verdict {
	id, known := c.At(key.Level)
	switch {
	case !known:
		return w.unknownReg(at, 8, "the cgroup of the socket")
	case id == 0:
		return vNo
	}
	w.regs.put(at, binary.NativeEndian.AppendUint64(nil, id))
	return vNext
}
