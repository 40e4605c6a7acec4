// Package watch tells how the answers about a host change while it is watched. What happens on the host is only a reason to look: the answer
// is always that of a full read, which is compared with the one before. What happened in between, and the kernel's word on who did it, are
// told with each change. An event that was lost is made good by the next full read, which comes at an interval at the latest.
//
// Whoever makes events without end gets one full read after the other, each followed by a pause that is as long as twenty of them.
package watch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
)

// Schema names the format of a line.
const Schema = "ringfence.transition/v1"

// Line is one line of what a watch tells, as JSON.
type Line struct {
	Schema string `json:"schema"`           // ringfence.transition/v1
	Row    string `json:"row"`              // begin, change or read: which of the fields below it has
	Host   string `json:"host"`             // as the host calls itself
	HostID string `json:"hostId,omitempty"` // its machine id
	BootID string `json:"bootId,omitempty"` // of the boot that is watched
	// Time is when the full read began that shows this (RFC 3339, UTC); Since is that of the read before.
	Time  string `json:"time"`
	Since string `json:"since,omitempty"` // when the read before it began (RFC 3339, UTC)

	// Findings and Unknown are how many findings count, and how many checks leave something open.
	Findings int `json:"findings"`
	Unknown  int `json:"unknown"` // checks that leave something open
	// Deaf says what is not heard of and why; a full read at the interval finds what changed there.
	Deaf []string `json:"deaf,omitempty"`

	// Change is what is otherwise than in the read before.
	Change *finding.Change `json:"change,omitempty"`
	// Causes are what happened in between and can have to do with it; none means that nothing was heard.
	Causes []Event `json:"causes,omitempty"`
	// Lost says that events were lost in between: what did it need not be among the causes.
	Lost bool `json:"lost,omitempty"`
}

// The rows of a watch: its first full read, something that changed, and a full read that showed no change.
const (
	RowBegin  = "begin"
	RowChange = "change"
	RowRead   = "read"
)

// The kinds of events.
const (
	Ruleset  = "ruleset"  // a transaction of nftables
	Network  = "network"  // a link, an address, a route, a rule or a switch of forwarding
	File     = "file"     // a file that was read, or a directory that was listed
	Listener = "listener" // a socket that listens, or does not any more
	Process  = "process"  // a process that stays, or is gone
	Lost     = "lost"     // events that there was no room for
)

// Kinds are all kinds of events.
var Kinds = []string{Ruleset, Network, File, Listener, Process, Lost}

// Event is something that happened on the host.
type Event struct {
	Kind string `json:"kind"` // what kind of thing happened
	What string `json:"what"` // in words
	Time string `json:"time"` // when it was heard of first (RFC 3339, UTC)
	// PID and UID are of the process that did it, or has the socket, as the kernel says; 0 where it does not. The uid is of the process of that
	// number and name when the event was heard, and missing if there was none any more. Program is the name that the process has given itself
	// (comm in proc_pid_comm(5)): any process can have any.
	PID     int    `json:"pid,omitempty"`
	Program string `json:"program,omitempty"` // the name that the process has given itself
	UID     *int   `json:"uid,omitempty"`     // of the process
	// Count is how often it happened, if more than once.
	Count int `json:"count,omitempty"`
}

// String is the event in words, on one line whatever the host calls things.
func (e *Event) String() string {
	s := e.What
	switch {
	case e.PID != 0:
		s += fmt.Sprintf(" by pid %d", e.PID)
		if e.UID != nil {
			s += fmt.Sprintf(" (uid %d)", *e.UID)
		}
		if e.Program != "" {
			s += ", which calls itself " + e.Program
		}
	case e.UID != nil:
		s += fmt.Sprintf(" by uid %d", *e.UID)
	default:
	}
	if e.Count > 1 {
		s += fmt.Sprintf(", %d times", e.Count)
	}
	return escape.Text(s, false)
}

// JSON is a line of JSON for each.
func JSON(lines []*Line) ([]byte, error) {
	var b bytes.Buffer
	for _, l := range lines {
		text, err := json.Marshal(l)
		if err != nil {
			return nil, fmt.Errorf("write changes: %w", err)
		}
		b.Write(append(escape.JSON(text), '\n'))
	}
	return b.Bytes(), nil
}

// Text is what one full read showed, for a person: the changes that the same can have done together, and checks that are unknown, or known
// again, for the same reason as one.
func Text(lines []*Line) string {
	var b strings.Builder
	head := func(l *Line, format string, args ...any) {
		b.WriteString(escape.Text(fmt.Sprintf("%s %s: "+format, append([]any{l.Time, l.Host}, args...)...), false) + "\n")
	}
	first := lines[0]
	switch first.Row {
	case RowBegin:
		head(first, "watching: %d findings, %d checks unknown", first.Findings, first.Unknown)
		for _, d := range first.Deaf {
			fmt.Fprintf(&b, "  not heard of, and looked for at the interval alone: %s\n", escape.Text(d, false))
		}
		return b.String()
	case RowRead:
		head(first, "looked again, nothing changed: %d findings, %d checks unknown", first.Findings, first.Unknown)
		return b.String()
	default:
	}
	head(first, "changed since %s: %d findings, %d checks unknown now", first.Since, first.Findings, first.Unknown)
	var order []string
	by := map[string][]*Line{}
	for _, l := range lines {
		why := l.why()
		if by[why] == nil {
			order = append(order, why)
		}
		by[why] = append(by[why], l)
	}
	for _, why := range order {
		b.WriteString(changesText(by[why]) + why)
	}
	return b.String()
}

// mostCauses is how many events the text names with a change: the last ones.
const mostCauses = 6

// why is what can have done it, in lines.
func (l *Line) why() string {
	var b strings.Builder
	left := max(0, len(l.Causes)-mostCauses)
	if left > 0 {
		fmt.Fprintf(&b, "    since %d other events (-f jsonl has them), and\n", left)
	}
	for i := range l.Causes[left:] {
		fmt.Fprintf(&b, "    since %s\n", l.Causes[left+i].String())
	}
	switch {
	case l.Lost:
		b.WriteString("    events were lost: another process can have done it\n")
	case len(l.Causes) == 0:
		b.WriteString("    nothing was heard of that can have done it\n")
	default:
	}
	return b.String()
}

// changesText is the changes alone.
func changesText(lines []*Line) string {
	var b strings.Builder
	same := map[[2]string][]string{} // checks whose knowledge changed for one reason
	var order [][2]string
	for _, l := range lines {
		c := l.Change
		if c.Object == c.Check && c.Check != "" {
			key := [2]string{c.Class, c.Message}
			if same[key] == nil {
				order = append(order, key)
			}
			same[key] = append(same[key], c.Check)
			continue
		}
		fmt.Fprintf(&b, "  %s: %s", strings.ToUpper(c.Class), escape.Text(c.Message, false))
		if words := strings.TrimSpace(c.Severity + " " + c.Check); words != "" {
			fmt.Fprintf(&b, " (%s)", words)
		}
		b.WriteByte('\n')
		if c.Witness != "" {
			fmt.Fprintf(&b, "    packet: %s\n", escape.Text(c.Witness, false))
		}
	}
	for _, key := range order {
		fmt.Fprintf(&b, "  %s: %s (%s)\n", strings.ToUpper(key[0]), escape.Text(key[1], false), strings.Join(same[key], ", "))
	}
	return b.String()
}
