package reports

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
)

// Many writes the reports of many hosts one after another, and at the end what came of all, so that no report is kept.
type Many struct {
	w      io.Writer
	format string
	o      Options
	one    bool // there is one report, which is written as it is
	n      int
}

// Views says whether a format shows what came of many hosts without their reports.
func Views(format string) bool { return format == "table" || format == "html" }

// NewMany writes in a format. With one the report of a single host is written as it is.
func NewMany(w io.Writer, format string, o Options, one bool) *Many {
	return &Many{w: w, format: format, o: o, one: one}
}

// Renders is the format that the report of each host is wanted in; it is "" if none is, or if the format needs all of them at once.
func (m *Many) Renders() string {
	switch {
	case m.one, m.format == "json", m.format == "jsonl", m.format == "table" && m.o.Verbose:
		return m.format
	}
	return ""
}

// Add writes what was rendered of one host.
func (m *Many) Add(rendered []byte) error {
	m.n++
	before := ""
	if !m.one {
		switch {
		case m.format == "json" && m.n == 1:
			before = jsonBegin
		case m.format == "json":
			before = ",\n"
		case m.format == "table" && m.n > 1:
			before = "\n"
		}
	}
	_, err := io.WriteString(m.w, before)
	if err == nil {
		_, err = m.w.Write(rendered)
	}
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// End writes what came of all hosts.
func (m *Many) End(f *finding.Fleet) error {
	if m.one {
		return nil
	}
	switch m.format {
	case "json":
		if m.n == 0 {
			if _, err := io.WriteString(m.w, jsonBegin); err != nil {
				return fmt.Errorf("write JSON: %w", err)
			}
		}
		return endJSON(m.w, f)
	case "jsonl":
		return writeHostRows(m.w, f)
	case "table":
		if m.n > 0 {
			if _, err := io.WriteString(m.w, "\n"); err != nil {
				return fmt.Errorf("write report: %w", err)
			}
		}
		return writeFleet(m.w, f, m.o)
	case "html":
		return writeFleetHTML(m.w, f)
	}
	return nil
}

// The beginning of several reports, up to the first.
const jsonBegin = "{\n\"schema\": \"" + ManySchema + "\",\n\"reports\": [\n"

// endJSON ends the list of reports, and adds the view of all.
func endJSON(w io.Writer, f *finding.Fleet) error {
	b, err := indented(f)
	if err == nil {
		_, err = fmt.Fprintf(w, "],\n\"fleet\": %s\n}\n", escape.JSON(b))
	}
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// writeHostRows writes a row for each host, also for one that is missing or whose snapshot was refused.
func writeHostRows(w io.Writer, f *finding.Fleet) error {
	for i := range f.Hosts {
		h := &f.Hosts[i]
		row := Row{Schema: rowSchema, Row: "host", Host: h.Name, HostID: h.ID, CollectedAt: h.CollectedAt, Snapshot: h.Snapshot, State: h}
		row.trust(h.Trust)
		if h.Trust == nil {
			row.Verified = new(bool)
		}
		b, err := json.Marshal(row)
		if err == nil {
			_, err = w.Write(append(escape.JSON(b), '\n'))
		}
		if err != nil {
			return fmt.Errorf("write JSON lines: %w", err)
		}
	}
	return nil
}

// trust says in a row whether it is known who the snapshot is from.
func (r *Row) trust(t *finding.Trust) {
	if t != nil {
		r.Verified, r.Signer = &t.Verified, t.Principal
	}
}
