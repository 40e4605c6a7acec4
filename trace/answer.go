package trace

import (
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
)

// Begun is a connection that is translated, which a packet begins: who sent it to whom, and what translations made of that.
type Begun struct {
	Src, Dst       netip.Addr
	Sport, Dport   uint16
	srcNAT, dstNAT bool
	// newSport is the port that its answers are for. Where that is not known it is the sender's own.
	newSport uint16
}

// Answered is the port that answers of the connection are for.
func (b *Begun) Answered() uint16 { return b.newSport }

// Resourced says whether the connection has another source for who gets it.
func (b *Begun) Resourced() bool { return b != nil && b.srcNAT }

// begun is the connection of a first packet at its end, nil where nothing is translated or headers are not as conntrack made them.
func (w *walk) begun(f *Fate) *Begun {
	c, s := w.skb.ct, &w.skb
	if c == nil || !c.known || f.Fate == Unknown || s.dst() != c.newDst || s.hasPorts() && s.port(2) != c.newDpt || !c.srcOpen && s.src() != c.newSrc {
		return nil
	}
	b := &Begun{Src: c.src, Dst: c.dst, Sport: c.sport, Dport: c.dport, newSport: c.newSport, srcNAT: c.srcOpen}
	b.srcNAT, b.dstNAT = b.srcNAT || c.status.v&ipsSrcNAT != 0, c.status.v&ipsDstNAT != 0
	if !b.srcNAT && !b.dstNAT {
		return nil
	}
	if c.sportOpen {
		b.newSport = c.sport
	}
	return b
}

// leavesAs notes the sources of another way that ends alike.
func (f *Fate) leavesAs(other *Fate) {
	switch {
	case other.From == f.From || slices.Contains(f.Sources, other.From):
	case !other.From.IsValid() || len(f.Sources) >= mapChoices:
		f.From = netip.Addr{}
	default:
		f.Sources = append(f.Sources, other.From)
	}
}

// Answer follows the first answer of a connection.
func (t *Tracer) Answer(p *packet.Packet, b *Begun) Fate { return t.follow(p, b) }

// answered is what is known of the connection of an answer: its direction, and what was translated.
func (w *walk) answered(c *conn) {
	b := w.begins
	if b == nil {
		return
	}
	c.answers, c.reply = true, word{v: 1}
	c.status.unk &^= ipsSrcNAT | ipsDstNAT
	if b.srcNAT {
		c.status.v |= ipsSrcNAT
	}
	if b.dstNAT {
		c.status.v |= ipsDstNAT
	}
}

// turnRound undoes translations in an answer: at the hooks where destinations are translated that of the source, at the others that of the destination
// (nf_nat_packet).
func (w *walk) turnRound(source bool) verdict {
	s, b := &w.skb, w.begins
	switch {
	case source && b.dstNAT:
		s.setSrc(b.Dst)
		s.setPort(0, b.Dport)
	case !source && b.srcNAT:
		before := s.dst()
		s.setDst(b.Src)
		s.setPort(2, b.Sport)
		if w.hook == packet.Output && s.dst() != before && !w.reroute() {
			w.last = mark{text: "route"}
			return verdict{kind: vDrop}
		}
	}
	return verdict{kind: vAccept}
}
