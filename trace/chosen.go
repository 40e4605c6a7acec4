package trace

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"

	"github.com/ringfence/ringfence/packet"
)

// The fields that a question leaves open beside those of a region, by names of their own: in the header the time to live and the length, of
// the clock the second of the day and the day of the week, and the type of service.
const (
	headerNames = "tl"
	chosenNames = headerNames + "hwc"
)

func ofClock(f byte) bool { return f == 'h' || f == 'w' }

// All numbers of the fields of the clock, and of the time to live as it is sent and after a hop.
var (
	allSeconds = spans{{[]byte{0, 0, 0, 0}, binary.BigEndian.AppendUint32(nil, 24*60*60-1)}}
	allDays    = spans{{[]byte{0}, []byte{6}}}
	allTTLs    = spans{{[]byte{0}, []byte{255}}}
	oneHop     = spans{{[]byte{0}, []byte{254}}}
	lastHop    = spans{{[]byte{0}, []byte{1}}}
)

// opens says whether a field of the header is left open, and begins to keep what is found out about it.
func (w *walk) opens(f byte) bool {
	if strings.IndexByte(headerNames, f) < 0 || w.skb.later() {
		return false
	}
	x := w.field(f)
	at, n := w.skb.fieldAt(f)
	if x.left != nil || !anyBit(w.skb.unk[at:at+n]) || w.region == nil && !w.apart(map[byte]view{'t': byHops, 'l': byLength}[f]) {
		return false
	}
	switch {
	case f == 'l': // headers at least
		least := len(w.skb.nh)
		if !w.skb.v4 {
			least -= w.skb.thoff
		}
		x.left = spans{{binary.BigEndian.AppendUint16(nil, uint16(least)), []byte{255, 255}}}
	case w.hopped:
		x.left = oneHop
	default:
		x.left = allTTLs
	}
	x.seen = nil
	w.represent(f)
	return true
}

// clock loads what the clock shows when the packet comes.
func (w *walk) clock(o *op, f byte) verdict {
	x := w.field(f)
	if x.left == nil {
		x.left = map[byte]spans{'h': allSeconds, 'w': allDays}[f]
	}
	n := len(x.left[0].Lo)
	w.unknownReg(o.dreg, n, clockText)
	h := held{f: f, n: n, bits: 8 * n, sent: true}
	h.host = n > 1 && binary.NativeEndian.Uint16([]byte{1, 0}) == 1
	w.regs.whole[o.dreg/4] = h
	return vNext
}

const clockText = "the time at which the packet comes"

// oneOf goes on with one part of a field's numbers. Of a field that is nobody's question each way says which: that is a condition of its fate.
func (w *walk) oneOf(f byte, r *rule, parts []spans) int {
	if strings.IndexByte(fieldNames, f) >= 0 {
		return w.choose(len(parts), r, exactly)
	}
	at := w.at
	way := w.choose(len(parts), r, w.fieldText(f))
	if w.region == nil && w.choices[at].states == nil {
		kind := packet.AsSent
		if ofClock(f) {
			kind = packet.AtTime
		}
		for _, p := range parts {
			w.choices[at].states = append(w.choices[at].states, state{kind, w.fieldText(f) + " is " + w.numbersText(f, p)})
		}
	}
	return way
}

var fieldTexts = map[byte]string{
	't': "the time to live", 'l': "the length in the header", 'h': "the time of day (UTC)", 'w': "the day of the week",
	'c': "the type of service",
}

// maxSpansTold bounds the ranges of numbers in a condition.
const maxSpansTold = 8

func (w *walk) numbersText(f byte, list spans) string {
	var out []string
	for i, s := range list {
		if i == maxSpansTold {
			out = append(out, fmt.Sprintf("in %d more ranges", len(list)-i))
			break
		}
		lo, hi := w.numberText(f, s.Lo), w.numberText(f, s.Hi)
		if lo != hi {
			lo += "-" + hi
		}
		out = append(out, lo)
	}
	return strings.Join(out, " or ")
}

// numberText is a number as people write it, the time to live as it was sent.
func (w *walk) numberText(f byte, b []byte) string {
	n := 0
	for _, x := range b {
		n = n<<8 | int(x)
	}
	switch {
	case f >= firstPiece && w.pieces[f-firstPiece].area == 'l' && len(b) == 6:
		return net.HardwareAddr(b).String()
	case f >= firstPiece:
		return fmt.Sprintf("0x%x", b)
	case f == 'h':
		return fmt.Sprintf("%02d:%02d:%02d", n/3600, n/60%60, n%60)
	case f == 'w':
		return []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "day 7"}[min(n, 7)]
	case f == 't' && w.hopped:
		n++
	}
	return fmt.Sprint(n)
}

// hopOn takes one from the time to live, before the forward hook (ip_forward, ip6_forward). It reports false where that ends the way; a sender who
// is not asked writes enough.
func (w *walk) hopOn() bool {
	x := w.field('t')
	at, _ := w.skb.fieldAt('t')
	defer func() { w.hopped = true }()
	switch {
	case w.skb.unk[at] == 0: // a rule wrote it, or the kind of packet has it
		if w.skb.nh[at] <= 1 {
			return false
		}
		w.skb.nh[at]--
	case x.left != nil && w.asSent('t'):
		left := x.left.without(lastHop)
		if len(left) == 0 {
			return false
		}
		x.left = nil
		for _, s := range left {
			x.left = append(x.left, Span{[]byte{s.Lo[0] - 1}, []byte{s.Hi[0] - 1}})
		}
		w.represent('t')
	}
	return true
}

// usualTTL is what most senders write.
const usualTTL = 64

// sentTTL is a time to live that the way leaves, as it was sent: the usual one if it can be; 0 if nothing asked for it.
func (w *walk) sentTTL() uint8 {
	left := w.field('t').left
	if len(left) == 0 {
		return 0
	}
	n, more := left[0].Lo[0], uint8(0)
	if w.hopped {
		more = 1
	}
	for _, s := range left {
		if s.Lo[0]+more <= usualTTL && usualTTL-more <= s.Hi[0] {
			n = usualTTL - more
		}
	}
	return max(n+more, 1)
}

// option is whether a packet has an option of TCP, or a chunk of SCTP or DCCP: the same whichever rule asks.
type option struct {
	op, kind uint32
	has      bool
}

func (w *walk) option(op, kind uint32, r *rule) bool {
	for _, o := range w.options {
		if o.op == op && o.kind == kind {
			return o.has
		}
	}
	at := w.at
	what := fmt.Sprintf("option %d of TCP", kind)
	if op > 2 {
		what = fmt.Sprintf("chunk or option %d", kind)
	}
	has := w.choose(2, r, "whether the packet has "+what) == 1
	if w.region == nil && w.apart(byOptions) {
		w.choices[at].states = []state{{packet.AsSent, "the packet has no " + what}, {packet.AsSent, "the packet has " + what}}
	}
	w.options = append(w.options, option{op, kind, has})
	return has
}
