package snapshot

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// MaxImport bounds a report of another tool that is imported, in bytes.
const MaxImport = 1 << 20

// Bounds of what is kept of one.
const (
	maxImported   = 200
	maxImportText = 300
)

// OpenClawAudit is a report of "openclaw security audit --json" that was imported. Whoever can write its file can have written anything into it:
// it adds to what is found, and only root's clears.
type OpenClawAudit struct {
	File string `json:"file"`          // path of the report
	Word Word   `json:"word,omitzero"` // who can write the file
	Read Fact   `json:"read"`          // whether it is one
	// Findings are those that are critical or warnings, in that order and as the report has them; More counts those that were left out.
	Findings []OpenClawFinding `json:"findings,omitempty"`
	More     int               `json:"more,omitempty"` // how many findings were left out
	// Critical and Warn are how many its summary counts, which can be more than it lists.
	Critical int `json:"critical"`
	Warn     int `json:"warn"` // how many warnings its summary counts
	// Made is when it was written, as it says, in seconds since 1970; 0 is not known.
	Made int64 `json:"made,omitempty"`
	// Suppressed are findings that its configuration leaves out.
	Suppressed int `json:"suppressed,omitempty"`
}

// OpenClawFinding is one of them. Ids that are not known are kept as they are.
type OpenClawFinding struct {
	ID       string `json:"id"`               // of the check, as OpenClaw names it (checkId)
	Severity string `json:"severity"`         // critical, warn
	Title    string `json:"title"`            // in one line of at most 300 characters
	Detail   string `json:"detail,omitempty"` // in one line of at most 300 characters
}

var errNoAudit = errors.New("it is no report of openclaw security audit --json")

// rawAudit is the report as OpenClaw writes it.
type rawAudit struct {
	TS      int64 `json:"ts"` // milliseconds
	Summary *struct {
		Critical int `json:"critical"` // findings that are critical
		Warn     int `json:"warn"`     // findings that are warnings
		Info     int `json:"info"`     // findings that are neither
	} `json:"summary"`
	Findings   []rawAuditFinding `json:"findings"`           // of every severity
	Suppressed []json.RawMessage `json:"suppressedFindings"` // those that its configuration leaves out
	// Report is there instead of all that, if it was made with --fix.
	Report *rawAudit `json:"report"`
}

type rawAuditFinding struct {
	ID       string `json:"checkId"`  // of the check
	Severity string `json:"severity"` // critical, warn, info
	Title    string `json:"title"`    // of any length
	Detail   string `json:"detail"`   // of any length
}

// importID is what an id of a check can be.
var importID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/<>:@-]{0,119}$`)

// ReadOpenClawAudit reads the text of such a report. The error says nothing of the text: the file can be anybody's, and lead anywhere.
func ReadOpenClawAudit(text []byte) (*OpenClawAudit, error) {
	if len(text) > MaxImport {
		return nil, fmt.Errorf("it is larger than %d bytes", MaxImport)
	}
	var raw rawAudit
	if json.Unmarshal(text, &raw) != nil {
		return nil, errNoAudit
	}
	if raw.Report != nil {
		raw = *raw.Report
	}
	if raw.Summary == nil || raw.Findings == nil {
		return nil, errNoAudit
	}
	a := &OpenClawAudit{Critical: max(raw.Summary.Critical, 0), Warn: max(raw.Summary.Warn, 0), Made: max(raw.TS/1000, 0), Suppressed: len(raw.Suppressed)}
	slices.SortStableFunc(raw.Findings, func(x, y rawAuditFinding) int { return strings.Compare(x.Severity, y.Severity) })
	for _, f := range raw.Findings {
		switch {
		case f.ID == "security.audit.suppressions.active":
			a.Suppressed = max(a.Suppressed, 1)
		case f.Severity == "info":
		case f.Severity != "critical" && f.Severity != "warn" || !importID.MatchString(f.ID):
			return nil, errNoAudit
		case len(a.Findings) >= maxImported:
			a.More++
		default:
			a.Findings = append(a.Findings, OpenClawFinding{f.ID, f.Severity, importText(f.Title), importText(f.Detail)})
		}
	}
	return a, nil
}

// importText is a text of an imported report as one line of bounded length.
func importText(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return ' '
	}, strings.Join(strings.Fields(s), " "))
	if r := []rune(s); len(r) > maxImportText {
		s = string(r[:maxImportText]) + "…"
	}
	return s
}
