package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/audit"
	"github.com/ringfence/ringfence/exit"
	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/trace"
	"github.com/ringfence/ringfence/usage"
)

// tracedSections is what the packet model needs of a host.
var tracedSections = []string{"network", "nftables", "listeners"}

// askedSections is what zones are made of beside it.
var askedSections = append([]string{"agents", "namespaces", "processes", "runtimes", "ssh"}, tracedSections...)

func (e *env) traceCommand() *cobra.Command {
	var (
		where     place
		in, batch string
		expect    string
		format    = "text"
	)
	c := &cobra.Command{
		Use:   "trace --in INTERFACE|local 'PROTO SRC[:PORT] > DST[:PORT] [FLAGS]' | --batch FILE",
		Short: "Follow one packet through the host, and say which rule decides",
		Example: `  ringfence trace --in docker0 'tcp 172.17.0.2:40000 > 10.0.0.1:22 syn'
  ringfence trace --in eth0 'icmp 198.51.100.5 > 203.0.113.1 type 8'
  ringfence trace --batch packets.jsonl`,
		Args: usage.Args("[PACKET]"),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case batch != "" && (expect != "" || c.Flags().Changed("format")):
				return errors.New("--batch answers one JSON fate a line: it takes no --format and no --expect")
			case batch == "-" && where.snapshot == "-":
				return errors.New("standard input cannot be both the snapshot and the batch")
			}
			p, err := audit.OnePacket(in, batch, args)
			if err != nil {
				return err
			}
			s, err := e.look(c.Context(), &where, tracedSections...)
			if err != nil {
				return err
			}
			t := exposure.New(c.Context(), s, exposure.Limits{}, nil).Asking(where.programs).Tracer()
			if batch != "" {
				return e.input(true).Batch(t, batch, e.stdout)
			}
			if err := audit.ComesIn(s, p.In); err != nil {
				return err
			}
			return e.traceOne(t, p, format, expect)
		},
	}
	where.flags(c)
	c.Flags().StringVar(&in, "in", "", "the `interface` that the packet arrives on, or \"local\"")
	c.Flags().StringVar(&batch, "batch", "", "one JSON packet a line from this `file` (- is standard input), one JSON fate a line out")
	usage.Choice(c, &expect, "expect", "", []string{"local", "forward", "output", "drop", "reject", "unknown"}, "exit code 1 if the `fate` is another, 3 if it is unknown")
	usage.Choice(c, &format, "format", "f", textOrJSON, "text or json")
	return c
}

func (e *env) traceOne(t *trace.Tracer, p *packet.Packet, format, expect string) error {
	f := t.Packet(p)
	var err error
	if format == "text" {
		err = e.tellText(reports.TraceText(p, &f))
	} else {
		err = e.tellJSON("fate", reports.NewTrace(&f))
	}
	if err != nil {
		return err
	}
	return exit.Expected(expect, string(f.Fate))
}
