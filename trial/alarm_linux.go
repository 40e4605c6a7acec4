//go:build linux && !ringfence_portable

package trial

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/ringfence/ringfence/host"
)

// The programs that an alarm is raised by: wall(1) writes to the terminals of who is logged in, systemd-cat(1) to the journal.
const (
	wall    = "/usr/bin/wall"
	journal = "/usr/bin/systemd-cat"
)

// alarmLimit bounds how long one of them may take: a terminal that nobody reads can hold wall up.
const alarmLimit = 5 * time.Second

// alarm is raised by programs of this host, as far as it has them.
type alarm struct{ wall, journal string }

// Raise tells a text on standard error, which for a unit is the journal, on the terminals, and where systemd runs in the journal. What cannot
// be told in one way is told in the others.
func (a alarm) Raise(text string) {
	text = "ringfence: " + text + "\n"
	_, _ = os.Stderr.WriteString(text)
	tell(text, a.wall)
	if host.Systemd() && os.Getenv("JOURNAL_STREAM") == "" { // systemd.exec(5): standard error is the journal already
		tell(text, a.journal, "--identifier=ringfence", "--priority=alert")
	}
}

// tell gives a program a text to read, if root alone decides about it.
func tell(text, program string, args ...string) {
	if host.RootsAlone(program) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), alarmLimit)
	defer cancel()
	cmd := host.Command(ctx, program, args...)
	cmd.Stdin, cmd.Env = strings.NewReader(text), host.Environment()
	_ = host.Run(cmd)
}
