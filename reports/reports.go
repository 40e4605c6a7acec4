// Package reports writes a report in one format or another: findings in, bytes out. A format has no
// clock and no idea of a terminal; what depends on either is an option that the caller sets.
//
// All text of a report can come from a hostile host. Each format escapes it at its own edge: the
// table removes control characters, JSON, SARIF and XML are encoded, Markdown has it in code, a cell of CSV is no formula.
package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/words"
)

// Options are what the place that a report goes to decides.
type Options struct {
	Width int  // of the terminal in columns; 0 is 100
	Color bool // escape sequences for colour
	ASCII bool // the terminal shows no more than that
	All   bool // also list what passed
	// Verbose is with all evidence, and what is of little weight; Summary without the findings.
	Verbose, Summary bool
	// Severity is the lowest that is listed, "" for all.
	Severity string
}

// Format is one way to write a report.
type Format struct {
	Name string
	// Write writes reports, each of another host. There is one where Many is not set.
	Write func(io.Writer, []*finding.Report, Options) error
	Many  bool
}

// Formats lists them all.
func Formats() []Format {
	return []Format{
		{"table", writeTables, true},
		{"json", writeJSON, true},
		{"jsonl", writeJSONLines, true},
		{"sarif", writeSARIF, true},
		{"junit", writeJUnit, true},
		{"markdown", writeMarkdown, true},
		{"csv", writeCSV, true},
		{"prometheus", writePrometheus, false},
		{"gitlab", writeGitLab, false},
		{"ocsf", writeOCSF, true},
		{"openreports", writeOpenReports, false},
		{"html", writeHTML, true},
		{"svg", writeSVG, false},
		{"mermaid", writeMermaid, false},
		{"dot", writeDOT, false},
		{"tmbom", writeTMBOM, false},
		{"otm", writeOTM, false},
		{"oscal", writeOSCAL, false},
	}
}

// Names are those of all formats.
func Names() (list []string) {
	for _, f := range Formats() {
		list = append(list, f.Name)
	}
	return list
}

// ManyNames are those of the formats that hold several hosts.
func ManyNames() (list []string) {
	for _, f := range Formats() {
		if f.Many {
			list = append(list, f.Name)
		}
	}
	return list
}

// Named finds a format.
func Named(name string) (Format, error) {
	for _, f := range Formats() {
		if f.Name == name {
			return f, nil
		}
	}
	return Format{}, fmt.Errorf("format %q: %w", name, words.Wrong(name, Names()))
}

// Output is one report to write.
type Output struct {
	Format Format
	File   string // "" is standard output
}

// Outputs are the report on standard output, in the format of that name, and those of arguments FORMAT=FILE. None replaces a file that is an input.
func Outputs(stdout string, more []string, inputs ...string) ([]Output, error) {
	format, err := Named(stdout)
	if err != nil {
		return nil, err
	}
	outs := []Output{{Format: format}}
	for _, o := range more {
		name, file, ok := strings.Cut(o, "=")
		switch {
		case !ok || strings.TrimSpace(file) == "":
			return nil, fmt.Errorf("output %q: want FORMAT=FILE", o)
		case file == "-":
			return nil, fmt.Errorf("output %q: what goes to standard output is said by --format", o)
		case severalOutputs(file):
			return nil, fmt.Errorf("output %q: want one FORMAT=FILE: each file has its own --output", o)
		}
		if format, err = Named(name); err != nil {
			return nil, err
		}
		same := func(p string) bool { return target(p) == target(file) }
		if slices.ContainsFunc(outs, func(p Output) bool { return p.File != "" && same(p.File) }) {
			return nil, fmt.Errorf("output %q: a file that is written already", file)
		}
		if err := Lost(o, file, inputs); err != nil {
			return nil, err
		}
		outs = append(outs, Output{format, file})
	}
	return outs, nil
}

// Lost is the error of an output to a file that is read, by whatever path.
func Lost(output, file string, inputs []string) error {
	if slices.ContainsFunc(inputs, func(in string) bool { return target(in) == target(file) }) {
		return fmt.Errorf("output %q: what is read from it would be lost: write to another file", output)
	}
	return nil
}

// target is the file that a path leads to.
func target(path string) string {
	if to, err := filepath.EvalSymlinks(path); err == nil {
		path = to
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// severalOutputs says of the name of a file that another output was meant behind a comma.
func severalOutputs(file string) bool {
	for part := range strings.SplitSeq(file, ",") {
		if name, _, ok := strings.Cut(part, "="); ok && slices.Contains(Names(), name) {
			return true
		}
	}
	return false
}

// ManySchema is that of several reports in one file.
const ManySchema = "ringfence.reports/v1"

// writeJSON writes a report, or several as {"schema": "ringfence.reports/v1", "reports": [...]}.
func writeJSON(w io.Writer, list []*finding.Report, _ Options) error {
	var err error
	put := func(s string) {
		if err == nil {
			_, err = io.WriteString(w, s)
		}
	}
	if len(list) > 1 {
		put(jsonBegin)
	}
	for i, r := range list {
		if i > 0 {
			put(",\n")
		}
		if err == nil {
			err = writeReport(w, r)
		}
	}
	if len(list) > 1 {
		put("]\n}\n")
	}
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// encode writes a value as JSON of somebody else's format.
func encode(w io.Writer, what string, v any) error {
	b, err := indented(v)
	if err == nil {
		_, err = w.Write(append(escape.JSON(b), '\n'))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	return nil
}

// writeReport writes a report as one value of JSON. The two lists that grow with the square of a host are written element by element:
// as a whole they would be in memory three times.
func writeReport(w io.Writer, r *finding.Report) error {
	short := *r
	if len(r.Exposures) > 0 {
		short.Exposures = []finding.Exposure{}
	}
	if len(r.Forwards) > 0 {
		short.Forwards = []finding.Forward{}
	}
	short.Results = slices.Clone(r.Results) // each says that it has no findings: who reads them asks each
	for i := range short.Results {
		if short.Results[i].Findings == nil {
			short.Results[i].Findings = []finding.Finding{}
		}
	}
	text, err := indented(&short)
	if err != nil {
		return err
	}
	if text, err = writeList(w, text, "exposures", r.Exposures, (*row).exposure); err != nil {
		return err
	}
	if text, err = writeList(w, text, "forwards", r.Forwards, (*row).forward); err != nil {
		return err
	}
	_, err = w.Write(append(escape.JSON(text), '\n'))
	return err
}

// writeList writes the text up to a list that was left empty in it, and the list, and returns the rest. A field of the report itself
// begins a line with two spaces before it, as nothing else does.
func writeList[T any](w io.Writer, text []byte, name string, list []T, one func(*row, *T)) ([]byte, error) {
	if len(list) == 0 {
		return text, nil
	}
	before, rest, found := bytes.Cut(text, []byte("\n  \""+name+"\": []"))
	if !found {
		return nil, fmt.Errorf("no place for %s", name)
	}
	if _, err := w.Write(escape.JSON(before)); err != nil {
		return nil, err
	}
	out := row{b: []byte("\n  \"" + name + "\": [\n    ")}
	for i := range list {
		if i > 0 {
			out.b = append(out.b, ",\n    "...)
		}
		one(&out, &list[i])
		if out.err != nil {
			return nil, out.err
		}
		if len(out.b) < rowsAtOnce && i < len(list)-1 {
			continue
		}
		if _, err := w.Write(out.b); err != nil {
			return nil, err
		}
		out.b = out.b[:0]
	}
	_, err := io.WriteString(w, "\n  ]")
	return rest, err
}

// indented is a value as JSON, by two spaces a level.
func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
