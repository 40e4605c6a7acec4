package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

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
			t := trace.New(s)
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

// pathFate is a fate with the way, for -f json.
type pathFate struct {
	Schema string `json:"schema"`
	trace.Fate
	Path    []trace.Step `json:"path"`
	Because []doubt      `json:"because,omitempty"`
}

func (e *env) traceOne(t *trace.Tracer, p *packet.Packet, format string) error {
	f := t.Packet(p)
	var b bytes.Buffer
	if format == "json" {
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if f.Path == nil {
			f.Path = []trace.Step{}
		}
		out := pathFate{Schema: "ringfence.trace/v1", Fate: f, Path: f.Path}
		for _, c := range f.Because {
			out.Because = append(out.Because, doubt{Family: c.Family, Table: c.Table, Chain: c.Chain, Rule: c.Rule, Why: c.Text})
		}
		if err := enc.Encode(out); err != nil {
			return fmt.Errorf("write fate: %w", err)
		}
	} else {
		traceText(&b, p, &f)
		return e.tellText(b.String())
	}
	return e.tellData(b.Bytes(), true)
}

// traceText draws the way as a list of stations, the deciding one last.
func traceText(b *bytes.Buffer, p *packet.Packet, f *trace.Fate) {
	fmt.Fprintf(b, "%s, in by %s\n", reports.Clean(p.String(), false), reports.Clean(p.In, false))
	var hook packet.Hook
	for _, s := range f.Path {
		if s.Table == "" {
			hook = ""
			fmt.Fprintf(b, "  -> %s\n", reports.Clean(s.Effect, false))
			continue
		}
		if s.Hook != hook {
			hook = s.Hook
			fmt.Fprintf(b, "  %s\n", hook)
		}
		place := fmt.Sprintf("%s %s/%s", s.Family, s.Table, s.Chain)
		if s.Rule != 0 {
			place += fmt.Sprintf("#%d", s.Rule)
		}
		fmt.Fprintf(b, "     %-8s %s: %s\n", s.Effect, reports.Clean(place, false), reports.Clean(s.Text, false))
	}
	fmt.Fprintf(b, "fate: %s", f.Fate)
	for _, w := range []struct{ name, value string }{
		{"by", f.Rule}, {"out", f.Oif}, {"to", f.To}, {"socket", f.Socket}, {"because", f.Why},
	} {
		if w.value != "" {
			fmt.Fprintf(b, ", %s %s", w.name, reports.Clean(w.value, false))
		}
	}
	b.WriteByte('\n')
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
	err := eachLine(in, func(n int, line []byte) error {
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

// maxLine bounds one line of a batch.
const maxLine = 64 << 10

func eachLine(r io.Reader, f func(n int, line []byte) error) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 4096), maxLine)
	for n := 1; s.Scan(); n++ {
		if strings.TrimSpace(s.Text()) == "" {
			continue
		}
		if err := f(n, s.Bytes()); err != nil {
			return err
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	return nil
}
