package trace

import (
	"github.com/ringfence/ringfence/packet"
)

// synproxies is why the way of a connection attempt is not followed.
const synproxies = "synproxy answers in place of the server, and speaks to it when the sender has answered"

// bySynproxy hands a packet to synproxy: a SYN is answered, an acknowledgement of that begins a connection to the server (nft_synproxy_eval_v4,
// synproxy_tg4).
func (w *walk) bySynproxy(r *rule) verdict {
	if w.skb.proto != packet.TCP {
		return vNo
	}
	if w.region == nil && len(w.choices) == 0 && !w.local { // not again what it sends itself
		w.proxied = r
	}
	return w.abort(r, synproxies)
}

// proxied is the fate of a SYN that synproxy answers: that of the SYN which the host sends to the server in the name of the sender, once the sender has
// answered. Its answer has to come to synproxy too. ok is false where that is not known.
func (t *Tracer) proxied(p *packet.Packet) (f Fate, ok bool) {
	const ack, syn = "A", "S"
	w := &t.walk
	by := w.proxied
	answer := *p
	acknowledges, opens := ack, syn
	answer.Flags = &acknowledges
	w.choices = w.choices[:0]
	w.start(&answer)
	_ = w.run()
	t.cost += w.evaluated
	switch {
	case len(w.choices) > 0:
		return Fate{}, false
	case w.proxied == nil && w.stuck != nil:
		return Fate{}, false
	case w.proxied == nil:
		return Fate{Fate: Drop, Rule: by.String(), Path: w.steps()}, true
	}
	server := *p
	server.In, server.Flags, server.By, server.SMAC, server.DMAC = "local", &opens, nil, "", ""
	server.Src, server.Dst, server.Sport, server.Dport = w.skb.src(), w.skb.dst(), w.skb.port(0), w.skb.port(2)
	f = t.Packet(&server)
	switch f.Fate {
	case Unknown:
		return Fate{}, false
	case Output:
		f.Fate = Forward
	case Local, Forward, Drop, Reject:
	}
	if f.Fate == Drop || f.Fate == Reject {
		return f, true
	}
	cause := (&choice{rule: by, cause: packet.Cause{Text: synproxies}}).named()
	out := unknownFate([]packet.Cause{cause})
	out.ByTraffic = []Conditional{
		{[]packet.Condition{{Where: cause.Where, Text: "the sender answers synproxy", State: packet.AsSent}}, f},
		{[]packet.Condition{{Where: cause.Where, Text: "the sender does not answer synproxy", State: packet.AsSent}}, Fate{Fate: Drop, Rule: by.String()}},
	}
	return out, true
}
