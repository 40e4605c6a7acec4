package assume

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/finding"
)

// Transition is a line of a history: an assumption of a host has another validity than before.
type Transition struct {
	Time     string `json:"time"` // when the host was seen
	Host     string `json:"host"`
	HostID   string `json:"hostId,omitempty"`
	ID       string `json:"id"`
	Validity string `json:"validity"`
	Open     string `json:"open,omitempty"`
	// Because is why it is not confirmed.
	Because []string `json:"because,omitempty"`
	// Report is the digest of the report in JSON, which has the evidence.
	Report string `json:"report"`
}

// MaxHistory bounds a history, in bytes.
const MaxHistory = 64 << 20

// ErrHistory is in every error of reading a history.
var ErrHistory = errors.New("history of assumptions")

// ReadHistory reads lines of JSON. A last line that was cut by a crash is an error too: what is missing is not known.
func ReadHistory(text []byte) (list []Transition, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	for {
		var t Transition
		switch err := d.Decode(&t); {
		case errors.Is(err, io.EOF):
			return list, nil
		case err != nil:
			return nil, fmt.Errorf("%w: line %d: %w", ErrHistory, len(list)+1, err)
		}
		if _, err := time.Parse(time.RFC3339, t.Time); err != nil {
			return nil, fmt.Errorf("%w: line %d: time %q", ErrHistory, len(list)+1, t.Time)
		}
		if !slices.Contains([]string{finding.Confirmed, finding.Rejected, finding.Unconfirmed}, t.Validity) || t.ID == "" {
			return nil, fmt.Errorf("%w: line %d: id %q, validity %q", ErrHistory, len(list)+1, t.ID, t.Validity)
		}
		list = append(list, t)
	}
}

// Text is the transitions as lines of JSON.
func Text(list []Transition) ([]byte, error) {
	var b bytes.Buffer
	for i := range list {
		line, err := json.Marshal(&list[i])
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrHistory, err)
		}
		b.Write(append(line, '\n'))
	}
	return b.Bytes(), nil
}

// Transitions are what a report adds to a history: each assumption that has another validity than in the last line about it and its host. A
// report of an earlier time than that line adds nothing: the history would turn back.
func Transitions(before []Transition, r *finding.Report, digest string) (list []Transition, err error) {
	at, err := time.Parse(time.RFC3339, r.Snapshot.CollectedAt)
	if err != nil {
		return nil, fmt.Errorf("%w: when the host was seen: %q", ErrHistory, r.Snapshot.CollectedAt)
	}
	for i := range r.Assumptions {
		a := &r.Assumptions[i]
		t := Transition{
			Time: at.UTC().Format(time.RFC3339), Host: r.Host.Name, HostID: r.Host.ID, ID: a.ID, Validity: a.Validity, Open: a.Open, Because: a.Because, Report: digest,
		}
		last := last(before, &t)
		if last == nil || last.Validity != t.Validity || last.Open != t.Open {
			if last != nil && !ordered(last.Time, at) {
				return nil, fmt.Errorf("%w: the host was seen at %s, and the history of %s has %s", ErrHistory, t.Time, a.ID, last.Time)
			}
			list = append(list, t)
		}
	}
	return list, nil
}

// ordered says whether a line's time is not after another one.
func ordered(line string, at time.Time) bool {
	t, err := time.Parse(time.RFC3339, line)
	return err == nil && !t.After(at)
}

// last is the last line about an assumption of a host.
func last(list []Transition, of *Transition) *Transition {
	for i := len(list) - 1; i >= 0; i-- {
		if t := &list[i]; t.ID == of.ID && (t.HostID == of.HostID && t.HostID != "" || t.HostID == of.HostID && t.Host == of.Host) {
			return t
		}
	}
	return nil
}

// Told tells what became of what, from one line on; the first of each assumption is what it was at first.
func Told(list []Transition, from int) string {
	var b strings.Builder
	for i := from; i < len(list); i++ {
		t := &list[i]
		was := "first seen"
		if before := last(list[:i], t); before != nil {
			was = state(before)
		}
		fmt.Fprintf(&b, "%s  %s  %s: %s -> %s", t.Time, t.Host, t.ID, was, state(t))
		if len(t.Because) > 0 {
			fmt.Fprintf(&b, ": %s", t.Because[0])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func state(t *Transition) string {
	if t.Open != "" {
		return t.Validity + " (" + t.Open + ")"
	}
	return t.Validity
}
