package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/certificate"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trace"
	"github.com/ringfence/ringfence/zones"
)

// reachFlags are the flags of reach.
type reachFlags struct {
	where          place
	from, to       string
	src            []string
	proto          string
	dport          int
	unbound        bool
	config, format string
	ruleset        string
	noCertificate  bool
	check          bool
	state          string
}

func (e *env) reachCommand() *cobra.Command {
	f := new(reachFlags)
	c := &cobra.Command{
		Use:   "reach --from ZONE|iface:NAME --to host|ZONE|iface:NAME|addr:IP",
		Short: "Say which packets get from one place to another, with a witness or a proof",
		Long: "Say which packets get from one place to another: reachable with a witness packet, unreachable with a proof,\n" +
			"or unknown with the reason. With --to host a packet reaches when it is handed to a socket that listens;\n" +
			"with a zone or an interface, when it leaves there; with addr:IP, when a packet that is sent to that address\n" +
			"ends at a socket or leaves, also after it was rewritten.",
		Example: `  ringfence reach --from workload --to host --dport 22
  ringfence reach --from iface:docker0 --to management --proto udp -f json
  ringfence reach --from external --to addr:203.0.113.1 --dport 8080
  ringfence reach --from external --to host --ruleset new.nft`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.validate(); err != nil {
				return err
			}
			cfg, err := loadConfig(f.config)
			if err != nil {
				return err
			}
			s, err := e.look(c.Context(), &f.where)
			if err != nil {
				return err
			}
			if f.ruleset != "" {
				if s.NFTables.Ruleset, err = e.readRulesetFile(c.Context(), f.ruleset, s); err != nil {
					return err
				}
			}
			q, err := f.question(s, cfg)
			if err != nil {
				return err
			}
			a := answer(s, q)
			if f.check && a.Verdict == packet.Unreachable {
				if err := checkProof(s, q, &a); err != nil {
					a.Verdict, a.StoppedBy, a.Certificate = packet.Unknown, nil, nil
					a.Because = []doubt{{Why: "the proof was not confirmed: " + err.Error()}}
				} else {
					a.Checked = true
				}
			}
			return e.printReach(f, &a)
		},
	}
	f.where.flags(c)
	c.Flags().StringVar(&f.from, "from", "", "where packets come from: a `zone` (management, runtime, workload, external, host) or iface:NAME")
	c.Flags().StringVar(&f.to, "to", "", "where they are to get: host, a `zone`, iface:NAME or addr:IP")
	c.Flags().StringArrayVar(&f.src, "src", nil, "only sources in this `prefix` (repeatable)")
	c.Flags().StringVar(&f.proto, "proto", "tcp", "tcp, udp, icmp, sctp or a number")
	c.Flags().IntVar(&f.dport, "dport", 0, "destination `port`; 0 is any")
	c.Flags().BoolVar(&f.unbound, "unbound", false, "also count ports of the host where nothing listens")
	c.Flags().StringVar(&f.state, "state", "new", "conntrack `state` of the packets: new, established, related, invalid, untracked")
	c.Flags().StringVar(&f.config, "config", "", "configuration `file` (YAML), for zones")
	c.Flags().StringVar(&f.ruleset, "ruleset", "", "ask about this nftables `file` in place of the loaded ruleset")
	c.Flags().StringVarP(&f.format, "format", "f", "text", "text or json")
	c.Flags().BoolVar(&f.check, "check", false, "have the proof of an unreachable answer re-checked by code of its own")
	c.Flags().BoolVar(&f.noCertificate, "no-certificate", false, "leave the certificate out of the JSON")
	return c
}

func (f *reachFlags) validate() error {
	switch {
	case f.format != "text" && f.format != "json":
		return fmt.Errorf("format %q: want text or json", f.format)
	case f.from == "" || f.to == "":
		return errors.New("reach wants --from and --to")
	case f.dport < 0 || f.dport > 65535:
		return fmt.Errorf("dport %d: want 0 to 65535", f.dport)
	}
	if !slices.Contains([]string{"new", "established", "related", "invalid", "untracked"}, f.state) {
		return fmt.Errorf("state %q: want new, established, related, invalid or untracked", f.state)
	}
	if _, err := (&packet.Packet{Proto: f.proto}).Protocol(); err != nil {
		return err
	}
	return nil
}

// question turns the flags into origins and a target of the host.
func (f *reachFlags) question(s *snapshot.Snapshot, cfg *judge.Config) (*reach.Question, error) {
	q := &reach.Question{Proto: f.proto, Dport: f.dport, Unbound: f.unbound, State: packet.State(f.state)}
	m := zones.Classify(s, cfg.Zones)
	prefixes, err := parsePrefixes("src", f.src)
	if err != nil {
		return nil, err
	}
	if err := f.origins(q, s, m, prefixes); err != nil {
		return nil, err
	}
	name, isIface := strings.CutPrefix(f.to, "iface:")
	addr, isAddr := strings.CutPrefix(f.to, "addr:")
	switch {
	case isIface:
		l := s.Network.LinkNamed(name)
		if l == nil {
			return nil, fmt.Errorf("to %q: there is no such interface", f.to)
		}
		q.To.Oifs = []int{l.Index}
	case isAddr:
		if q.To.Addr, err = netip.ParseAddr(addr); err != nil {
			return nil, fmt.Errorf("to %q: want addr:IP", f.to)
		}
		q.To.Addr = q.To.Addr.Unmap().WithZone("")
	case f.to == zones.Host:
		q.To.Host = true
	case !slices.Contains(zoneNames, f.to):
		return nil, fmt.Errorf("to %q: want host, %s, iface:NAME or addr:IP", f.to, strings.Join(zoneNames, ", "))
	default:
		for _, i := range m.Interfaces {
			if i.Zone == f.to && !i.Port && !i.Inert {
				q.To.Oifs = append(q.To.Oifs, i.Index)
			}
		}
		if len(q.To.Oifs) == 0 {
			return nil, fmt.Errorf("to %q: no interface is in that zone", f.to)
		}
	}
	return q, nil
}

var zoneNames = []string{zones.Management, zones.Runtime, zones.Workload, zones.External}

func (f *reachFlags) origins(q *reach.Question, s *snapshot.Snapshot, m *zones.Map, only []netip.Prefix) error {
	everywhere := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	if name, ok := strings.CutPrefix(f.from, "iface:"); ok {
		l := s.Network.LinkNamed(name)
		if l == nil {
			return fmt.Errorf("from %q: there is no such interface", f.from)
		}
		o := packet.Origin{Index: l.Index, From: everywhere}
		if len(only) > 0 {
			o.From = only
		}
		q.From = []packet.Origin{o}
		return nil
	}
	if f.from == zones.Host {
		q.From = []packet.Origin{{Local: true, From: only}}
		return nil
	}
	if !slices.Contains(zoneNames, f.from) {
		return fmt.Errorf("from %q: want host, %s or iface:NAME", f.from, strings.Join(zoneNames, ", "))
	}
	for _, z := range m.Origins {
		if z.Zone != f.from && (f.from != zones.External || z.Zone != zones.Unclassified) {
			continue
		}
		o := z.Origin
		if len(only) > 0 {
			o.From = intersect(z.From, only)
			if len(o.From) == 0 {
				continue
			}
		}
		q.From = append(q.From, o)
	}
	if len(q.From) == 0 {
		return fmt.Errorf("from %q: nothing is in that zone", f.from)
	}
	return nil
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

// reachAnswer is the answer as it is printed.
type reachAnswer struct {
	Schema      string               `json:"schema"`
	Question    any                  `json:"question"`
	Verdict     packet.Verdict       `json:"verdict"`
	Witness     *packet.Packet       `json:"witness,omitempty"`
	Fate        *trace.Fate          `json:"fate,omitempty"`
	Path        []trace.Step         `json:"path,omitempty"`
	StoppedBy   []stopper            `json:"stopped_by,omitempty"`
	Certificate []packet.Certificate `json:"certificate,omitempty"`
	Checked     bool                 `json:"checked,omitempty"` // the certificate, by package certificate
	Because     []doubt              `json:"because,omitempty"`
}

type stopper struct {
	Family string `json:"family,omitempty"`
	Table  string `json:"table,omitempty"`
	Chain  string `json:"chain,omitempty"`
	Rule   uint64 `json:"rule,omitempty"`
	Policy bool   `json:"policy,omitempty"`
	Text   string `json:"text"`
}

type doubt struct {
	Family     string `json:"family,omitempty"`
	Table      string `json:"table,omitempty"`
	Chain      string `json:"chain,omitempty"`
	Rule       uint64 `json:"rule,omitempty"`
	Expression string `json:"expression,omitempty"`
	Why        string `json:"why"`
}

// answer asks the engine, and has the tracer confirm: a witness that it does not see arrive is no
// witness, and a packet in doubt that it does see arrive is one.
func answer(s *snapshot.Snapshot, q *reach.Question) reachAnswer {
	a := reach.NewModel(s).Reach(q)
	out := reachAnswer{Schema: "ringfence.reach/v1", Verdict: a.Verdict}
	t := trace.New(s)
	switch a.Verdict {
	case packet.Reachable:
		p := tracePacket(a.Witness, q)
		f := t.Packet(p)
		if !arrives(q, s, &f) {
			out.Verdict = packet.Unknown
			out.Because = []doubt{{Why: fmt.Sprintf("the witness %s was not confirmed: %s %s %s", p, f.Fate, f.Rule, f.Why)}}
			break
		}
		out.Witness, out.Fate, out.Path = p, &f, f.Path
	case packet.Unknown:
		for i := range a.Doubtful {
			p := tracePacket(&a.Doubtful[i], q)
			if f := t.Packet(p); arrives(q, s, &f) {
				out.Verdict, out.Witness, out.Fate, out.Path = packet.Reachable, p, &f, f.Path
				return out
			}
		}
		for _, c := range a.Because {
			out.Because = append(out.Because, doubt{c.Family, c.Table, c.Chain, c.Rule, c.Text, c.Text})
		}
	default:
		for _, c := range a.StoppedBy {
			out.StoppedBy = append(out.StoppedBy, stopper{c.Family, c.Table, c.Chain, c.Rule, c.Policy, c.Text})
		}
		out.Certificate = a.Certificate
	}
	return out
}

// checkProof hands the certificate over as text, so that nothing but what it says is checked.
func checkProof(s *snapshot.Snapshot, q *reach.Question, a *reachAnswer) error {
	b, err := json.Marshal(a.Certificate)
	if err != nil {
		return err
	}
	var list []packet.Certificate
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	if q.State != "new" && q.State != "" {
		return errors.New("only proofs about new connections can be re-checked")
	}
	return certificate.NewChecker(s).CheckAll(proofQuestion(s, q), list)
}

// proofQuestion is the question in the words of the checker.
func proofQuestion(s *snapshot.Snapshot, q *reach.Question) *certificate.Question {
	name := func(index int) string {
		if l := s.Network.Link(index); l != nil {
			return l.Name
		}
		return ""
	}
	p := &certificate.Question{
		Target: certificate.Target{Host: q.To.Host, Addr: q.To.Addr, Unbound: q.Unbound},
		Proto4: protocolNumber(q.Proto, true), Proto6: protocolNumber(q.Proto, false),
	}
	if q.Dport != 0 {
		p.Ports = []int{q.Dport}
	}
	for _, oif := range q.To.Oifs {
		p.Oifs = append(p.Oifs, name(oif))
	}
	for _, o := range q.From {
		from := certificate.Origin{In: "local", From: o.From}
		if !o.Local {
			from.In = name(o.Index)
		}
		p.From = append(p.From, from)
	}
	return p
}

// protocolNumber is that of a question's protocol, below 0 where the family has none: icmp is ICMPv6 there.
func protocolNumber(name string, v4 bool) int {
	p := packet.Packet{Proto: name}
	switch {
	case name == "icmp" && !v4:
		p.Proto = "icmpv6"
	case name == "icmpv6" && v4:
		return -1
	}
	n, err := p.Protocol()
	if err != nil {
		return -1
	}
	return int(n)
}

func tracePacket(p *packet.Packet, q *reach.Question) *packet.Packet {
	t := *p
	if q.State != "new" && q.State != "" {
		ack := "A"
		t.Ct, t.Flags = q.State, &ack
	}
	return &t
}

// socketProtocols are those whose packets a listening socket takes: TCP, UDP, SCTP, UDP-Lite.
var socketProtocols = []int{6, 17, 132, 136}

// arrives says whether a fate is what the question asks for.
func arrives(q *reach.Question, s *snapshot.Snapshot, f *trace.Fate) bool {
	switch f.Fate {
	case trace.Local:
		bound := q.Unbound || !slices.Contains(socketProtocols, protocolNumber(q.Proto, true)) ||
			f.Socket != trace.NoSocket && f.Socket != trace.UnknownSocket
		return bound && (q.To.Host || q.To.Addr.IsValid())
	case trace.Forward, trace.Output:
		l := s.Network.LinkNamed(f.Oif)
		return q.To.Addr.IsValid() || l != nil && slices.Contains(q.To.Oifs, l.Index)
	default:
		return false
	}
}

func (e *env) printReach(f *reachFlags, a *reachAnswer) error {
	a.Question = map[string]any{"from": f.from, "to": f.to, "src": f.src, "proto": f.proto, "dport": f.dport, "unbound": f.unbound, "state": f.state}
	if f.noCertificate {
		a.Certificate = nil
	}
	var b bytes.Buffer
	if f.format == "json" {
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(a); err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
	} else {
		reachText(&b, a)
		return e.tellText(b.String())
	}
	return e.tellData(b.Bytes(), true)
}

func reachText(b *bytes.Buffer, a *reachAnswer) {
	fmt.Fprintln(b, a.Verdict)
	if a.Witness != nil {
		b.WriteString("witness: ")
		f := *a.Fate
		f.Path = a.Path
		traceText(b, a.Witness, &f)
	}
	list := func(title string, n int, line func(int) string) {
		if n == 0 {
			return
		}
		fmt.Fprintln(b, title)
		for i := range min(n, maxListed) {
			fmt.Fprintf(b, "  %s\n", reports.Clean(line(i), false))
		}
		if n > maxListed {
			fmt.Fprintf(b, "  and %d more\n", n-maxListed)
		}
	}
	list("stopped by:", len(a.StoppedBy), func(i int) string {
		s := a.StoppedBy[i]
		return placed(s.Family, s.Table, s.Chain, s.Rule, s.Policy) + s.Text
	})
	list("because:", len(a.Because), func(i int) string {
		d := a.Because[i]
		return placed(d.Family, d.Table, d.Chain, d.Rule, false) + d.Why
	})
	cubes := 0
	for _, p := range a.Certificate {
		cubes += len(p.Cubes)
	}
	if cubes > 0 {
		checked := ""
		if a.Checked {
			checked = ", re-checked"
		}
		fmt.Fprintf(b, "proof: %d disjoint parts of the question, each stopped%s (-f json shows them)\n", cubes, checked)
	}
}

// maxListed bounds the causes that the text shows.
const maxListed = 20

func placed(family, table, chain string, rule uint64, policy bool) string {
	switch {
	case table == "":
		return ""
	case policy:
		return fmt.Sprintf("%s %s/%s#policy: ", family, table, chain)
	}
	return fmt.Sprintf("%s %s/%s#%d: ", family, table, chain, rule)
}
