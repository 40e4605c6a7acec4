package reports

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"github.com/ringfence/ringfence/finding"
)

// csvColumns are the columns; new ones come at the end.
var csvColumns = []string{
	"host", "check", "status", "severity", "zone", "kind", "object", "message", "evidence", "remedy", "witness", "fingerprint", "waived", "host_id", "collected_at", "verified",
}

// writeCSV writes a row for each finding, for each check without one, and for what one with findings leaves open (RFC 4180).
func writeCSV(w io.Writer, list []*finding.Report, _ Options) error {
	c := csv.NewWriter(w)
	c.UseCRLF = true
	if err := c.Write(csvColumns); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	for _, e := range entries(list) {
		f := e.f
		if f == nil {
			f = new(finding.Finding)
		}
		waived := ""
		if f.Waiver != nil {
			waived = f.Waiver.String()
		}
		row := []string{
			e.r.Host.Name, e.res.ID, e.status(), e.severity(), f.Zone, f.Resource.Kind, f.Resource.Key, e.message(), joined(e.evidence()), e.remedy(),
			f.Witness, f.Fingerprint, waived, e.r.Host.ID, e.r.Snapshot.CollectedAt, verified(e.r.Trust),
		}
		for i := range row {
			row[i] = csvCell(row[i])
		}
		if err := c.Write(row); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// verified says whether it is known who a snapshot is from; nothing if nobody asked.
func verified(t *finding.Trust) string {
	switch {
	case t == nil:
		return ""
	case t.Verified:
		return "yes"
	}
	return "no: " + t.Reason
}

// csvCell is a text that a spreadsheet takes for a text: one that begins as a formula does gets an apostrophe before it, also behind blanks.
func csvCell(s string) string {
	s = Clean(s, false)
	if t := strings.TrimLeft(s, " "); t != "" && strings.ContainsAny(t[:1], "=+-@|%") || strings.HasPrefix(t, `\t`) || strings.HasPrefix(t, `\x0d`) || strings.HasPrefix(t, "＝") ||
		strings.HasPrefix(t, "＋") || strings.HasPrefix(t, "－") || strings.HasPrefix(t, "＠") {
		return "'" + s
	}
	return s
}
