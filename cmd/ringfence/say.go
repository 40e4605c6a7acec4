package main

import (
	"fmt"

	"github.com/ringfence/ringfence/reports"
)

// What is printed can quote the host, so it goes through one of these: nothing else in this folder writes to
// standard output or standard error (TestOneWayToTheTerminal).

// say writes to standard error. Each argument that is text becomes one line without control characters; line breaks
// are those of the format.
func (e *env) say(format string, args ...any) { fmt.Fprintf(e.stderr, format, cleaned(args)...) }

// sayText writes a text of several lines to standard error.
func (e *env) sayText(text string) { fmt.Fprint(e.stderr, reports.Clean(text, true)) }

// tell is say on standard output.
func (e *env) tell(format string, args ...any) error {
	_, err := fmt.Fprintf(e.stdout, format, cleaned(args)...)
	return err
}

// tellText writes a text of several lines to standard output.
func (e *env) tellText(text string) error {
	_, err := fmt.Fprint(e.stdout, reports.Clean(text, true))
	return err
}

// tellData writes what programs read to standard output: as it is, and on a terminal in a way that is safe there,
// as the text or by the escapes of JSON.
func (e *env) tellData(b []byte, json bool) error {
	if _, tty := terminal(e.stdout); tty && json {
		b = reports.PrintableJSON(b)
	} else if tty {
		b = reports.Printable(b)
	}
	_, err := e.stdout.Write(b)
	return err
}

func cleaned(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case string:
			out[i] = reports.Clean(v, false)
		case error:
			out[i] = reports.Clean(v.Error(), false)
		case fmt.Stringer:
			out[i] = reports.Clean(v.String(), false)
		default:
			out[i] = a
		}
	}
	return out
}
