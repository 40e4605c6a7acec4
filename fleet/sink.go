package fleet

import (
	"fmt"
	"io"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/words"
)

// sink is one output. What can be written host by host is not kept.
type sink struct {
	name    string // of its format
	format  string // that each host is rendered in, "" for none
	keeps   bool   // all reports are kept, and written at the end
	options reports.Options
	many    *reports.Many
	file    *host.Output // nil is standard output
	to      io.Writer
	whole   reports.Format
	list    []*finding.Report
}

// put is an output as a writer.
type put struct{ *host.Output }

func (p put) Write(b []byte) (int, error) { return len(b), p.Output.Write(b) }

func openSinks(outs []reports.Output, r *Run) (list []*sink, err error) {
	for _, o := range outs {
		k := &sink{name: o.Format.Name, to: r.Stdout, options: r.Options(o.File == ""), whole: o.Format}
		if !o.Format.Many && !r.one() {
			return list, fmt.Errorf("%s is of one host, and several are judged: want %s", o.Format.Name, words.Or(reports.ManyNames()))
		}
		if o.File != "" {
			if k.file, err = host.OpenOutput(o.File); err != nil {
				return list, err
			}
			k.to = put{k.file}
		}
		list = append(list, k)
		k.many = reports.NewMany(k.to, o.Format.Name, k.options, r.one())
		k.format = k.many.Renders()
		k.keeps = k.format == "" && !reports.Views(o.Format.Name)
	}
	return list, nil
}

// end writes what is written at the end.
func (k *sink) end(view *finding.Fleet) error {
	if !k.keeps {
		return k.many.End(view)
	}
	return k.whole.Write(k.to, k.list, k.options)
}
