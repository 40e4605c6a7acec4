package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/snapshot"
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
	by             exposure.Who
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
			a, err := f.ask(c.Context(), s, cfg)
			if err != nil {
				return err
			}
			return e.printReach(f, a)
		},
	}
	f.where.flags(c)
	senderFlags(c, &f.by)
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
	c.Flags().BoolVar(&f.check, "check", false, "accepted for older scripts: every answer is checked by code of its own")
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

// ask answers the question of the flags.
func (f *reachFlags) ask(ctx context.Context, s *snapshot.Snapshot, cfg *judge.Config) (*exposure.Answer, error) {
	if a := exposure.Unseen(s); a != nil {
		return a, nil
	}
	src, err := parsePrefixes("src", f.src)
	if err != nil {
		return nil, err
	}
	w := exposure.Words{
		From: f.from, To: f.to, Src: src, Proto: f.proto, Dport: f.dport, Unbound: f.unbound, State: packet.State(f.state), By: f.by,
	}
	q, err := w.Question(s, zones.Classify(s, cfg.Zones))
	if err != nil {
		return nil, err
	}
	a := exposure.New(ctx, s, exposure.Limits{}, nil).Ask(q)
	return &a, nil
}

func (e *env) printReach(f *reachFlags, a *exposure.Answer) error {
	out := &reports.Reach{
		Schema: "ringfence.reach/v1", Verdict: a.Verdict, Witness: a.Witness, Fate: a.Fate, Conditions: a.If, StoppedBy: a.StoppedBy,
		Certificate: a.Certificate, Checked: a.Checked, Because: reports.Doubts(a.Because),
		Question: map[string]any{"from": f.from, "to": f.to, "src": f.src, "proto": f.proto, "dport": f.dport, "unbound": f.unbound, "state": f.state},
	}
	if f.by.Named() {
		out.Question["by"] = f.by
	}
	if a.Fate != nil {
		out.Path = a.Fate.Path
	}
	if f.noCertificate {
		out.Certificate = nil
	}
	if f.format == "text" {
		return e.tellText(out.Text())
	}
	var b bytes.Buffer
	if err := reports.WriteJSON(&b, out); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return e.tellData(b.Bytes(), true)
}
