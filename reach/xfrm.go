package reach

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// protected applies the IPsec policies of a direction to plain packets (__xfrm_policy_check, __xfrm_route_forward): what a policy blocks is
// stopped, what it wants protected passes only if somebody has the keys, and of no policy what the default says. They see packets as they
// were sent, before translations (nf_nat_decode_session); what is sent is looked at as it leaves.
func (e *engine) protected(dir string, in []cube, l *snapshot.Link) []cube {
	x := e.snap.Network.XFRM
	if x == nil || len(in) == 0 || l != nil && (l.Loopback || slices.Contains(ipsecLinks, l.Kind)) {
		return in
	}
	if x.State != snapshot.Present && x.State != snapshot.Absent {
		return doubtAll(in, packet.Cause{Text: "IPsec policies were not read: " + x.Reason})
	}
	if !slices.Contains(x.Blocked, dir) && !slices.ContainsFunc(x.Policies, func(p snapshot.XFRMPolicy) bool { return p.Dir == dir && p.Needs() }) {
		return in
	}
	unsure, exempt := e.exempt(dir, l, in[0].v4)
	var live []cube
	for i := range in {
		if exempt {
			live = append(live, in[i])
			continue
		}
		left := []cube{in[i]}
		for k := range x.Policies {
			p := &x.Policies[k]
			if p.Dir != dir || p.IfID != 0 || len(left) == 0 || p.Family != 0 && (p.Family == 4) != in[i].v4 {
				continue
			}
			var rest []cube
			for j := range left {
				yes, no := e.selected(p, left[j])
				rest = append(rest, no...)
				for _, c := range yes {
					live = append(live, e.judged(p, c, unsure)...)
				}
			}
			left = rest
		}
		for _, c := range left {
			if slices.Contains(x.Blocked, dir) {
				e.blocked(c, packet.Cause{Text: "no IPsec policy " + dir + " matches, and the default blocks"}, unsure, &live)
				continue
			}
			live = append(live, c)
		}
	}
	return live
}

// ipsecLinks are the interfaces whose packets were, or will be, protected.
var ipsecLinks = []string{"xfrm", "vti", "vti6"}

func doubtAll(in []cube, why packet.Cause) []cube {
	out := make([]cube, len(in))
	for i := range in {
		out[i] = in[i].doubt(why)
	}
	return out
}

// exempt says whether the interface that packets come in by has its policies off (disable_policy), and why that is not known. What IPv6 delivers
// goes by the interface that has the address (addrconf_f6i_alloc), as that was when its switch was last written.
func (e *engine) exempt(dir string, l *snapshot.Link, v4 bool) (why *packet.Cause, exempt bool) {
	if l == nil || dir == "out" {
		return nil, false
	}
	family, names, byAddress := "ipv6", []string{"all", l.Name}, !v4 && dir == "in"
	if v4 {
		family = "ipv4"
	}
	if byAddress {
		names = names[:1]
		for i := range e.snap.Network.Links {
			names = append(names, e.snap.Network.Links[i].Name)
		}
	}
	for _, name := range names {
		switch n, ok := e.sysctl("net/" + family + "/conf/" + name + "/disable_policy"); {
		case !ok:
			why = &packet.Cause{Text: "disable_policy of " + name + " was not read"}
		case n != 0 && byAddress:
			return &packet.Cause{Text: "disable_policy of " + name}, false
		case n != 0:
			return nil, true
		}
	}
	return why, false
}

// judged is what becomes of packets that a policy matches.
func (e *engine) judged(p *snapshot.XFRMPolicy, c cube, unsure *packet.Cause) (live []cube) {
	switch by := (packet.Cause{Text: p.String()}); {
	case !p.Needs():
		return []cube{c}
	case p.Block:
		e.blocked(c, by, unsure, &live)
		return live
	default:
		return []cube{c.doubt(packet.Cause{Text: by.Text + ": only what is protected so passes"})}
	}
}

// blocked stops packets, where that is sure and it is not the host itself that sends them: a socket can have policies of its own.
func (e *engine) blocked(c cube, by packet.Cause, unsure *packet.Cause, live *[]cube) {
	switch {
	case unsure != nil:
		*live = append(*live, c.doubt(*unsure))
	case e.local || len(c.doubts) > 0 && slices.ContainsFunc(c.doubts, ofSelector):
		*live = append(*live, c.doubt(by))
	default:
		e.stop(c, by)
	}
}

// unsureSelector begins the doubt about packets of which it is not known whether a policy matches them.
const unsureSelector = "whether the packets match: "

func ofSelector(c packet.Cause) bool {
	return len(c.Text) > len(unsureSelector) && c.Text[:len(unsureSelector)] == unsureSelector
}

// selected parts packets by the selector of a policy (xfrm_selector_match). What cannot be decided is on both sides, with a doubt.
func (e *engine) selected(p *snapshot.XFRMPolicy, c cube) (yes, no []cube) {
	proto := c.sets[fProto]
	if p.Proto != 0 && !proto.contains(num(uint64(p.Proto))) {
		return nil, []cube{c}
	}
	yes = []cube{c}
	narrow := func(f field, s set) {
		var next []cube
		for _, y := range yes {
			in, out := y.split(f, s)
			next, no = append(next, in...), append(no, out...)
		}
		yes = next
	}
	saddr, daddr, sport, dport := fSaddr, fDaddr, fSport, fDport
	if p.Dir != "out" {
		if c.snat {
			saddr, sport = fOrigSaddr, fOrigSport
		}
		if c.nat {
			daddr, dport = fOrigDaddr, fOrigDport
		}
	}
	unsure := p.Ifindex != 0
	for _, part := range []struct {
		f      field
		prefix string
	}{{saddr, p.Src}, {daddr, p.Dst}} {
		if prefix, err := netip.ParsePrefix(part.prefix); err == nil {
			narrow(part.f, prefixSet(prefix))
		}
	}
	for _, part := range []struct {
		f          field
		port, mask uint16
	}{{sport, p.Sport, p.SportMask}, {dport, p.Dport, p.DportMask}} {
		switch low := uint64(^part.mask); {
		case part.mask == 0:
		case !slices.Contains([]uint64{6, 17, 132, 136}, proto[0].lo.lo) || low&(low+1) != 0:
			unsure = true
		default:
			first := uint64(part.port & part.mask)
			narrow(part.f, span(num(first), num(first|low)))
		}
	}
	if p.Mask != 0 {
		switch mark := c.sets[fMark]; {
		case !mark.singleton():
			unsure = true
		case uint32(mark[0].lo.lo)&p.Mask != p.Mark:
			return nil, []cube{c}
		}
	}
	if unsure {
		for i := range yes {
			yes[i] = yes[i].doubt(packet.Cause{Text: fmt.Sprint(unsureSelector, p)})
			no = append(no, yes[i])
			yes[i].shadow = true
		}
	}
	return yes, no
}

// resourced puts packets with a new source in doubt where there are policies about what leaves: they are asked again after that
// (ip_xfrm_me_harder).
func (e *engine) resourced(in []cube) []cube {
	x := e.snap.Network.XFRM
	if x == nil || !slices.ContainsFunc(x.Policies, func(p snapshot.XFRMPolicy) bool { return p.Dir == "out" && p.Needs() }) {
		return in
	}
	out := slices.Clone(in)
	for i := range out {
		if out[i].snat {
			out[i] = out[i].doubt(packet.Cause{Text: "which IPsec policy packets with a new source match"})
		}
	}
	return out
}
