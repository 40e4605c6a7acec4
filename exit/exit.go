// Package exit has the exit codes of the program, the same for every command and format.
package exit

import "fmt"

// The exit codes.
const (
	OK         = 0
	Findings   = 1 // at or above --fail-on, or another answer than the one that was expected
	Usage      = 2 // usage, configuration, policy or snapshot; nothing was judged
	Incomplete = 3 // something could not be judged or seen
	Refused    = 4 // the fix was refused or rolled back; the host is as before
	Unclear    = 5 // the state of the fix is not known
)

// Error carries an exit code. A nil Err prints nothing.
type Error struct {
	Code int
	Err  error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Expected is the exit code of an answer where another was expected; want "" expects nothing.
func Expected(want, got string) error {
	if want == "" || want == got {
		return nil
	}
	code := Findings
	if got == "unknown" {
		code = Incomplete
	}
	return &Error{code, fmt.Errorf("expected %s, but the answer is %s", want, got)}
}

// Meaning is what an exit code says.
type Meaning struct{ Code, Text string }

// Meanings are all exit codes, as the README has them.
func Meanings() []Meaning {
	return []Meaning{
		{"0", "nothing at or above `--fail-on` (default high)"},
		{"1", "findings at or above it, or a fix of which only a part could be made"},
		{"2", "usage, configuration, policy or snapshot error; nothing was judged, nothing written"},
		{"3", "with `--strict`: some check is unknown, or found something (below `--fail-on`) and could not decide or see all"},
		{"4", "the fix was refused or rolled back; the host is as before"},
		{"5", "the state of the fix is not known, or it is loaded but could not be kept over a boot"},
		{"130, 143", "ended by SIGINT or SIGTERM; nothing was written, and what it started has ended"},
	}
}
