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
