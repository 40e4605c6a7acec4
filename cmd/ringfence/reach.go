package main

import (
	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/audit"
	"github.com/ringfence/ringfence/exit"
	"github.com/ringfence/ringfence/usage"
)

// reachFlags are the flags of reach.
type reachFlags struct {
	audit.Question
	where          place
	config, format string
	ruleset        string
	check          bool
	expect         string
}

func (e *env) reachCommand() *cobra.Command {
	f := new(reachFlags)
	c := &cobra.Command{
		Use:   "reach --from ZONE|iface:NAME --to host|ZONE|iface:NAME|addr:IP|guest:NAME",
		Short: "Say which packets get from one place to another, with a witness or a proof",
		Long: "Say which packets get from one place to another: reachable with a witness packet, unreachable with a proof, " +
			"or unknown with the reason. With --to host a packet reaches when it is handed to a socket that listens; " +
			"with a zone or an interface, when it leaves there; with addr:IP, when a packet that is sent to that address " +
			"ends at a socket or leaves, also after it was rewritten; guest:NAME is the address of a virtual machine.",
		Example: `  ringfence reach --from workload --to host --dport 22
  ringfence reach --from iface:docker0 --to management --proto udp -f json
  ringfence reach --from external --to addr:203.0.113.1 --dport 8080
  ringfence reach --from external --to host --ruleset new.nft`,
		Args: usage.None,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.Check(); err != nil {
				return err
			}
			cfg, err := audit.Config(f.config)
			if err != nil {
				return err
			}
			s, err := e.look(c.Context(), &f.where, askedSections...)
			if err != nil {
				return err
			}
			if f.ruleset != "" {
				if s.NFTables.Ruleset, err = e.readRulesetFile(c.Context(), f.ruleset, s); err != nil {
					return err
				}
			}
			a, err := f.Ask(c.Context(), s, cfg.Zones, f.where.programs)
			if err != nil {
				return err
			}
			if f.format == "text" {
				err = e.tellText(a.Text())
			} else {
				err = e.tellJSON("answer", a)
			}
			if err != nil {
				return err
			}
			return exit.Expected(f.expect, string(a.Verdict))
		},
	}
	f.where.flags(c)
	senderFlags(c, &f.By)
	c.Flags().StringVar(&f.From, "from", "", "where packets come from: a `zone` (management, runtime, workload, external, host) or iface:NAME")
	c.Flags().StringVar(&f.To, "to", "", "where they are to get: host, a `zone`, iface:NAME, addr:IP or guest:NAME")
	c.Flags().StringArrayVar(&f.Src, "src", nil, "only sources in this `prefix` (repeatable)")
	c.Flags().StringVar(&f.Proto, "proto", "tcp", "tcp, udp, icmp, sctp or a number")
	c.Flags().IntVar(&f.Dport, "dport", 0, "destination `port`: with --to addr: as it is sent, else as it arrives, which rules can change; 0 is any")
	c.Flags().BoolVar(&f.Unbound, "unbound", false, "also count ports of the host where nothing listens")
	f.State, f.format = "new", "text"
	usage.Choice(c, &f.State, "state", "", []string{"new", "established", "related", "invalid", "untracked"}, "conntrack `state` of the packets: new, established, related, invalid, untracked")
	c.Flags().StringVar(&f.config, "config", "", "configuration `file` (YAML), for zones")
	c.Flags().StringVar(&f.ruleset, "ruleset", "", "ask about this nftables `file` in place of the loaded ruleset")
	usage.Choice(c, &f.format, "format", "f", textOrJSON, "text or json")
	c.Flags().BoolVar(&f.check, "check", false, "accepted for older scripts: every answer is checked by code of its own")
	usage.Choice(c, &f.expect, "expect", "", []string{"reachable", "unreachable", "unknown"}, "exit code 1 if the `answer` is another, 3 if it is unknown")
	c.Flags().BoolVar(&f.NoCertificate, "no-certificate", false, "leave the certificate out of the JSON")
	return c
}
