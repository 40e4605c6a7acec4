package reach

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// connlabel matches a label of the connection, or gives it one (connlabel_mt).
func (m *machine) connlabel(c *ruleset.Chain, r *ruleset.Rule, x *ruleset.XtConnlabel, st state) ([]state, []cube) {
	switch {
	case m.connectionless(&st.cube):
		return m.holds(x.Invert, st)
	case x.Set: // it has it, or gets it
		return m.holds(!x.Invert, st)
	case st.cube.begins() && !m.snap.NFTables.Ruleset.Labels():
		return m.holds(x.Invert, st)
	}
	return m.either(c, r, st, "the labels of the connection")
}

// drawn is a match that comes out by what nobody knows before; that of a cluster needs a connection (xt_cluster_mt).
func (m *machine) drawn(c *ruleset.Chain, r *ruleset.Rule, x *ruleset.Xt, st state) ([]state, []cube) {
	if x.Name == "cluster" && m.connectionless(&st.cube) {
		return nil, []cube{st.cube}
	}
	return m.either(c, r, st, x.Drawn())
}

// carried is what the connection has carried (nft_ct_get_eval): of one that begins this packet alone.
func (m *machine) carried(c *cube, e *ruleset.Ct) value {
	switch {
	case !c.begins():
		return unknown(8, "what the connection has carried")
	case e.Dir == "reply":
		return constant(make([]byte, 8))
	case e.Key == ruleset.CtPkts:
		return constant(host64(1))
	}
	return value{{data: make([]byte, 8), known: host64(^uint64(0xffff))}} // the length of the packet
}

// byKnownBits compares a value of which some bits are known; sure is false where the others decide.
func (s *seg) byKnownBits(lo, hi []byte) (in, sure bool) {
	n := min(len(s.data), len(lo), len(hi))
	least, most := slices.Clone(s.data[:n]), slices.Clone(s.data[:n])
	for i := range n {
		least[i] &= s.known[i]
		most[i] |= ^s.known[i]
	}
	switch {
	case bytes.Compare(most, lo[:n]) < 0, bytes.Compare(least, hi[:n]) > 0:
		return false, true
	}
	return true, bytes.Compare(least, lo[:n]) >= 0 && bytes.Compare(most, hi[:n]) <= 0
}

// queue is what becomes of packets that a rule hands to a program (nf_queue): where none listens they are dropped, or pass.
func (m *machine) queue(q *ruleset.QueueTo) *ruleset.Verdict {
	kind := ruleset.Queue
	if m.nobodyListens(q) {
		if kind = ruleset.Drop; q.Bypass {
			kind = ruleset.Accept
		}
	}
	return &ruleset.Verdict{Kind: kind}
}

// nobodyListens says that it is known that no program listens on any of the queues.
func (m *machine) nobodyListens(q *ruleset.QueueTo) bool {
	f := m.snap.NFTables.Queues
	if q == nil || f == nil || f.State != snapshot.Present && f.State != snapshot.Absent {
		return false
	}
	for name := range strings.FieldsSeq(f.Value) {
		n, err := strconv.ParseUint(name, 10, 16)
		if err != nil || q.Sreg != 0 || uint64(q.Num) <= n && n < uint64(q.Num)+uint64(max(q.Total, 1)) {
			return false
		}
	}
	return true
}

// synproxy answers a SYN in place of the server, and sends one to it in the name of the sender when that has answered (synproxy_tg4). What becomes of that is
// not followed: the packets may get through, and no drop after it is a proof.
func (m *machine) synproxy(c *ruleset.Chain, r *ruleset.Rule, st state) (*ruleset.Verdict, []state, []cube) {
	const why = "synproxy answers in place of the server, and speaks to it when the sender has answered"
	m.open(packet.Cause{Where: m.cause(c, r).Where, Text: why})
	return &ruleset.Verdict{Kind: ruleset.Accept}, m.fork(c, r, st, why), nil
}
