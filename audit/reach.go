package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trace"
	"github.com/ringfence/ringfence/zones"
)

// Question is about packets from one place to another, in words.
type Question struct {
	From, To, Proto, State string
	Src                    []string // addresses or prefixes
	Dport                  int
	Unbound                bool
	By                     exposure.Who
	NoCertificate          bool // the answer is told without its certificate
}

// Check says what is wrong with a question before a host is looked at.
func (q *Question) Check() error {
	switch {
	case q.From == "" || q.To == "":
		return errors.New("reach wants --from and --to")
	case q.Dport < 0 || q.Dport > 65535:
		return fmt.Errorf("dport %d: want 0 to 65535", q.Dport)
	}
	proto, err := (&packet.Packet{Proto: q.Proto}).Protocol()
	if err != nil {
		return err
	}
	if q.Dport != 0 && !packet.Ported(proto) {
		return fmt.Errorf("dport %d: %s has no ports: leave it out", q.Dport, q.Proto)
	}
	return (&exposure.Words{From: q.From, To: q.To}).Spelled()
}

// Ask answers a question about a host. Programs on the way are asked where something runs them.
func (q *Question) Ask(ctx context.Context, s *snapshot.Snapshot, cfg zones.Config, programs packet.Runner) (*reports.Reach, error) {
	a, err := q.answer(ctx, s, cfg, programs)
	if err != nil {
		return nil, err
	}
	out := &reports.Reach{
		Schema: "ringfence.reach/v1", Verdict: a.Verdict, Witness: a.Witness, Fate: a.Fate, Conditions: a.If, StoppedBy: a.StoppedBy,
		Certificate: a.Certificate, Checked: a.Checked, Because: reports.Doubts(a.Because),
		Question: map[string]any{"from": q.From, "to": q.To, "src": q.Src, "proto": q.Proto, "dport": q.Dport, "unbound": q.Unbound, "state": q.State},
	}
	if q.By.Named() {
		out.Question["by"] = q.By
	}
	if a.Fate != nil {
		out.Path = a.Fate.Path
	}
	if q.NoCertificate {
		out.Certificate = nil
	}
	return out, nil
}

// answer asks the model of the system that the host runs.
func (q *Question) answer(ctx context.Context, s *snapshot.Snapshot, cfg zones.Config, programs packet.Runner) (exposure.Answer, error) {
	if a := exposure.Unseen(s); a != nil && !s.OnWindows() {
		return *a, nil
	}
	src, err := Prefixes("src", q.Src)
	if err != nil {
		return exposure.Answer{}, err
	}
	w := exposure.Words{From: q.From, To: q.To, Src: src, Proto: q.Proto, Dport: q.Dport, Unbound: q.Unbound, State: packet.State(q.State), By: q.By}
	if s.OnWindows() {
		return exposure.AskWindows(ctx, s, zones.Classify(s, cfg), &w)
	}
	asked, err := w.Question(s, zones.Classify(s, cfg))
	if err != nil {
		return exposure.Answer{}, err
	}
	return exposure.New(ctx, s, exposure.Limits{}, nil).Asking(programs).Ask(asked), nil
}

// Prefixes reads the prefixes, or single addresses, of a flag.
func Prefixes(flag string, list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, a := range list {
		p, err := netip.ParsePrefix(a)
		if err != nil {
			addr, aerr := netip.ParseAddr(a)
			if aerr != nil {
				return nil, fmt.Errorf("%s %q: want an address or a prefix", flag, a)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		out = append(out, p)
	}
	return out, nil
}

// ComesIn says what is wrong with where a packet comes in: by an interface of the host, or from itself. Without interfaces none is known to be wrong.
func ComesIn(s *snapshot.Snapshot, in string) error {
	if in == "local" || len(s.Network.Links) == 0 || slices.ContainsFunc(s.Network.Links, func(l snapshot.Link) bool { return l.Name == in }) {
		return nil
	}
	return fmt.Errorf("in %q: there is no such interface", in)
}

// batchFate is the answer to one line of packets.
type batchFate struct {
	ID json.RawMessage `json:"id,omitempty"`
	trace.Fate
}

// TraceLines answers packets line by line. A line that is no packet ends it: the answers would no longer belong to the questions.
func TraceLines(t *trace.Tracer, in io.Reader, to io.Writer) error {
	out := bufio.NewWriterSize(to, 1<<16)
	err := packet.Lines(in, func(n int, line []byte) error {
		p := new(packet.Packet)
		if err := json.Unmarshal(line, p); err != nil {
			return fmt.Errorf("batch: line %d: %w", n, err)
		}
		if err := p.Check(); err != nil {
			return fmt.Errorf("batch: line %d: %w", n, err)
		}
		b, err := json.Marshal(batchFate{p.ID, t.Packet(p)})
		if err != nil {
			return fmt.Errorf("batch: line %d: %w", n, err)
		}
		_, err = out.Write(append(escape.JSON(b), '\n'))
		return err
	})
	if ferr := out.Flush(); err == nil && ferr != nil {
		err = fmt.Errorf("write fates: %w", ferr)
	}
	return err
}

// Batch answers the packets of a file; "-" is standard input.
func (in *Input) Batch(t *trace.Tracer, file string, to io.Writer) error {
	from := in.Stdin
	if file != "-" {
		f, err := host.OpenNamed(file)
		if err != nil {
			return fmt.Errorf("batch: %w", err)
		}
		defer f.Close()
		from = f
	}
	return TraceLines(t, from, to)
}

// OnePacket reads the packet of an argument that comes in by an interface; nil if there is a batch of them.
func OnePacket(in, batch string, args []string) (*packet.Packet, error) {
	switch {
	case batch != "" && (in != "" || len(args) > 0):
		return nil, errors.New("--batch takes no packet and no --in: each line has its own")
	case batch == "" && (in == "" || len(args) == 0):
		return nil, errors.New("trace wants --in and a packet, or --batch")
	case batch != "":
		return nil, nil
	}
	return packet.Parse(in, args[0])
}
