package main

import (
	"bytes"
	"fmt"
	"io"

	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/terminal"
)

// What is printed can quote the host, so it goes through one of these: nothing else in this folder writes to
// standard output or standard error (TestOneWayToTheTerminal).

// say writes to standard error. Each argument that is text becomes one line without control characters; line breaks
// are those of the format.
func (e *env) say(format string, args ...any) {
	fmt.Fprint(e.stderr, terminal.Shown(fmt.Sprintf(format, reports.Cleaned(args)...)))
}

// sayText writes a text of several lines to standard error.
func (e *env) sayText(text string) { fmt.Fprint(e.stderr, terminal.Shown(reports.Clean(text, true))) }

// tell is say on standard output.
func (e *env) tell(format string, args ...any) error {
	_, err := fmt.Fprint(e.stdout, terminal.Shown(fmt.Sprintf(format, reports.Cleaned(args)...)))
	return err
}

// tellText writes a text of several lines to standard output.
func (e *env) tellText(text string) error {
	_, err := fmt.Fprint(e.stdout, terminal.Shown(reports.Clean(text, true)))
	return err
}

// tellProse is tellText in lines that a terminal shows whole.
func (e *env) tellProse(text string) error {
	return e.tellText(reports.Folded(reports.Clean(text, true), terminal.Columns(e.stdout)))
}

// tellData writes what programs read to standard output: as it is, and on a terminal in a way that is safe there,
// as the text or by the escapes of JSON.
func (e *env) tellData(b []byte, json bool) error {
	if _, tty := terminal.Of(e.stdout); tty && json {
		b = reports.PrintableJSON(b)
	} else if tty {
		b = reports.Printable(b)
	}
	_, err := e.stdout.Write(b)
	return err
}

// terminal is tellData as a writer, of what programs read, or of a table.
func (e *env) terminal(json bool) io.Writer {
	return data(func(b []byte) error { return e.tellData(b, json) })
}

type data func([]byte) error

func (d data) Write(b []byte) (int, error) { return len(b), d(b) }

// tellJSON writes a value as JSON to standard output.
func (e *env) tellJSON(what string, v any) error {
	var b bytes.Buffer
	if err := reports.WriteJSON(&b, v); err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	return e.tellData(b.Bytes(), true)
}
