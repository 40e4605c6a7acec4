// Package reports writes a report in one format or another: findings in, bytes out. A format has no
// clock and no idea of a terminal; what depends on either is an option that the caller sets.
//
// All text of a report can come from a hostile host. Each format escapes it at its own edge: the
// table removes control characters, JSON and SARIF are encoded, Markdown and HTML do not occur.
package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
)

// Options are what the place that a report goes to decides.
type Options struct {
	Width int  // of the terminal in columns; 0 is 100
	Color bool // escape sequences for colour
	All   bool // also list what passed
}

// Format is one way to write a report.
type Format struct {
	Name      string
	Extension string
	Write     func(io.Writer, *finding.Report, Options) error
}

// Formats lists them all.
func Formats() []Format {
	return []Format{
		{"table", ".txt", writeTable},
		{"json", ".json", writeJSON},
		{"sarif", ".sarif", writeSARIF},
	}
}

// Named finds a format.
func Named(name string) (Format, error) {
	var names []string
	for _, f := range Formats() {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	slices.Sort(names)
	return Format{}, fmt.Errorf("format %q: want one of %v", name, names)
}

// Output is one report to write.
type Output struct {
	Format Format
	File   string // "" is standard output
}

// Outputs are the report on standard output, in the format of that name, and those of arguments FORMAT=FILE.
func Outputs(stdout string, more []string) ([]Output, error) {
	format, err := Named(stdout)
	if err != nil {
		return nil, err
	}
	outs := []Output{{Format: format}}
	for _, o := range more {
		name, file, ok := strings.Cut(o, "=")
		if !ok || file == "" {
			return nil, fmt.Errorf("output %q: want FORMAT=FILE", o)
		}
		if format, err = Named(name); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(outs, func(p Output) bool { return p.File == file }) {
			return nil, fmt.Errorf("output %q: two formats for one file", file)
		}
		outs = append(outs, Output{format, file})
	}
	return outs, nil
}

func writeJSON(w io.Writer, r *finding.Report, _ Options) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(r)
	if err == nil {
		_, err = w.Write(escape.JSON(b.Bytes()))
	}
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}
