package finding

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/ringfence/ringfence/words"
)

// MaxSize bounds a report that is read, in bytes.
const MaxSize = 256 << 20

// Bounds of the objects and values of a report that is read: in memory they are up to two hundred times as large as in a file. A host with 10,000
// sockets and ten interfaces has a twentieth of that.
const (
	maxObjects = 2_000_000
	maxValues  = 20_000_000
)

// What a report can name checks and findings by: they stand beside text of the program in every format.
var (
	checkID      = regexp.MustCompile(`^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)+$`)
	assumptionID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	fingerprint  = regexp.MustCompile(`^[0-9a-f]+$`)
)

// ErrReport is in every error of reading a report.
var ErrReport = errors.New("report")

// ErrSnapshot is in the error of reading a snapshot as a report. It is an ErrReport.
var ErrSnapshot = fmt.Errorf("%w", ErrReport)

// Load reads a report that "ringfence audit -f json" wrote. Whoever wrote it, its words are of the vocabulary. Fields that this version does not
// know are left out: later versions add some.
func Load(b []byte) (*Report, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%w: larger than %d MiB", ErrReport, MaxSize>>20)
	}
	if !utf8.Valid(b) {
		return nil, fmt.Errorf("%w: not UTF-8", ErrReport)
	}
	if bytes.Count(b, []byte("{")) > maxObjects || bytes.Count(b, []byte(",")) > maxValues {
		return nil, fmt.Errorf("%w: too many values", ErrReport)
	}
	r := new(Report)
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrReport, words.JSONError(b, err))
	}
	if d.More() {
		return nil, fmt.Errorf("%w: text after its end", ErrReport)
	}
	if strings.HasPrefix(r.Schema, "ringfence.snapshot/") {
		return nil, fmt.Errorf("%w: it is a snapshot (schema %q), want a report: audit --snapshot FILE -f json makes one of it", ErrSnapshot, r.Schema)
	}
	if r.Schema != Schema {
		return nil, fmt.Errorf("%w: schema %q, want %q", ErrReport, r.Schema, Schema)
	}
	return r, r.valid()
}

// valid refuses words that are not of the vocabulary: what is counted by them would be lost.
func (r *Report) valid() error {
	seen := map[string]bool{}
	for i := range r.Results {
		res := &r.Results[i]
		switch res.Status {
		case Fail, Pass, Unknown, NotApplicable, Waived:
		default:
			return fmt.Errorf("%w: %s: status %q", ErrReport, res.ID, res.Status)
		}
		if !checkID.MatchString(res.ID) || seen[res.ID] {
			return fmt.Errorf("%w: check %q is there twice, or has no name of a check", ErrReport, res.ID)
		}
		seen[res.ID] = true
		if Rank(res.Severity) >= len(Severities) {
			return fmt.Errorf("%w: %s: severity %q", ErrReport, res.ID, res.Severity)
		}
		for j := range res.Findings {
			f := &res.Findings[j]
			if Rank(f.Severity) >= len(Severities) || !fingerprint.MatchString(f.Fingerprint) {
				return fmt.Errorf("%w: %s: a finding of severity %q, fingerprint %q", ErrReport, res.ID, f.Severity, f.Fingerprint)
			}
		}
	}
	for i := range r.Carried {
		if f := &r.Carried[i].Finding; !seen[r.Carried[i].Check] || Rank(f.Severity) >= len(Severities) || !fingerprint.MatchString(f.Fingerprint) {
			return fmt.Errorf("%w: a carried finding of check %q, severity %q, fingerprint %q", ErrReport, r.Carried[i].Check, f.Severity, f.Fingerprint)
		}
	}
	for i := range r.Actions {
		if Rank(r.Actions[i].Severity) >= len(Severities) {
			return fmt.Errorf("%w: an action of severity %q", ErrReport, r.Actions[i].Severity)
		}
	}
	for i := range r.Assumptions {
		if err := r.Assumptions[i].valid(); err != nil {
			return err
		}
	}
	for i := range r.Exposures {
		if err := verdict(r.Exposures[i].Verdict); err != nil {
			return err
		}
	}
	for i := range r.Forwards {
		if err := verdict(r.Forwards[i].Verdict); err != nil {
			return err
		}
	}
	return nil
}

// valid refuses words that are not of the vocabulary.
func (a *Assumption) valid() error {
	words := []string{a.Validity}
	for i := range a.Claims {
		words = append(words, a.Claims[i].Validity)
		for j := range a.Claims[i].Grounds {
			words = append(words, a.Claims[i].Grounds[j].Validity)
		}
	}
	for _, w := range words {
		if w != Confirmed && w != Rejected && w != Unconfirmed {
			return fmt.Errorf("%w: assumption %q: validity %q", ErrReport, a.ID, w)
		}
	}
	if Rank(a.Severity) >= len(Severities) || !assumptionID.MatchString(a.ID) {
		return fmt.Errorf("%w: assumption %q: severity %q", ErrReport, a.ID, a.Severity)
	}
	return nil
}

func verdict(v string) error {
	if v != "reachable" && v != "unreachable" && v != Unknown {
		return fmt.Errorf("%w: verdict %q", ErrReport, v)
	}
	return nil
}
