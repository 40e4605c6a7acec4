package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/trace"
)

// tracedSections is what the packet model needs of a host.
var tracedSections = []string{"network", "nftables", "listeners"}

func (e *env) traceCommand() *cobra.Command {
	var (
		where             place
		in, batch, format string
	)
	c := &cobra.Command{
		Use:   "trace --in INTERFACE|local 'PROTO SRC[:PORT] > DST[:PORT] [FLAGS]' | --batch FILE",
		Short: "Follow one packet through the host, and say which rule decides",
		Example: `  ringfence trace --in docker0 'tcp 172.17.0.2:40000 > 10.0.0.1:22 syn'
  ringfence trace --in eth0 'icmp 198.51.100.5 > 203.0.113.1 type 8'
  ringfence trace --batch packets.jsonl`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case format != "text" && format != "json":
				return fmt.Errorf("format %q: want text or json", format)
			case batch != "" && (in != "" || len(args) > 0):
				return errors.New("--batch takes no packet and no --in: each line has its own")
			case batch == "" && (in == "" || len(args) == 0):
				return errors.New("trace wants --in and a packet, or --batch")
			case batch == "-" && where.snapshot == "-":
				return errors.New("standard input cannot be both the snapshot and the batch")
			}
			var p *packet.Packet
			if batch == "" {
				var err error
				if p, err = packet.Parse(in, args[0]); err != nil {
					return err
				}
			}
			s, err := e.look(c.Context(), &where, tracedSections...)
			if err != nil {
				return err
			}
			t := exposure.New(c.Context(), s, exposure.Limits{}, nil).Tracer()
			if batch != "" {
				return e.traceBatch(t, batch)
			}
			return e.traceOne(t, p, format)
		},
	}
	where.flags(c)
	c.Flags().StringVar(&in, "in", "", "the `interface` that the packet arrives on, or \"local\"")
	c.Flags().StringVar(&batch, "batch", "", "one JSON packet a line from this `file` (- is standard input), one JSON fate a line out")
	c.Flags().StringVarP(&format, "format", "f", "text", "text or json")
	return c
}

func (e *env) traceOne(t *trace.Tracer, p *packet.Packet, format string) error {
	f := t.Packet(p)
	if format == "text" {
		return e.tellText(reports.TraceText(p, &f))
	}
	var b bytes.Buffer
	if err := reports.WriteJSON(&b, reports.NewTrace(&f)); err != nil {
		return fmt.Errorf("write fate: %w", err)
	}
	return e.tellData(b.Bytes(), true)
}

// batchFate is one line of --batch.
type batchFate struct {
	ID json.RawMessage `json:"id,omitempty"`
	trace.Fate
}

// traceBatch answers line by line. A line that is no packet ends the run: the answers would no longer
// belong to the questions.
func (e *env) traceBatch(t *trace.Tracer, file string) error {
	in := e.stdin
	if file != "-" {
		f, err := host.OpenNamed(file)
		if err != nil {
			return fmt.Errorf("batch: %w", err)
		}
		defer f.Close()
		in = f
	}
	out := bufio.NewWriterSize(e.stdout, 1<<16)
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
		_, err = out.Write(append(b, '\n'))
		return err
	})
	if ferr := out.Flush(); err == nil && ferr != nil {
		err = fmt.Errorf("write fates: %w", ferr)
	}
	return err
}
