//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
)

// clockTicks is how many ticks /proc/PID/stat counts in a second (USER_HZ).
const clockTicks = 100

// startOf is when a process was started, by the clock of files; the zero time where that cannot be told. It is the process's age that the
// kernel knows (proc(5), starttime), and a clock that was set since counts as it is now.
func (s *Scan) startOf(pid int) time.Time {
	b, err := s.Host.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return time.Time{}
	}
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	const starttime = 22 - 3 // the fields after the name begin with the third
	if len(f) <= starttime {
		return time.Time{}
	}
	ticks, err := strconv.ParseInt(string(f[starttime]), 10, 64)
	if err != nil {
		return time.Time{}
	}
	boot := bootedAt(time.Now, sinceBoot)
	if boot.IsZero() {
		return boot
	}
	return boot.Add(time.Duration(ticks)*(time.Second/clockTicks) + startSlack)
}

// sinceBoot is CLOCK_BOOTTIME, by which the kernel counts when processes were started; 0 where it cannot be read.
func sinceBoot() time.Duration {
	var up unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &up) != nil {
		return 0
	}
	return time.Duration(up.Nano())
}

// bootedAt is the zero of the clock up by the clock of files. The two are read one after the other, and a scanner that is held up between them would see
// programs start later than they did, and files that are younger pass as read by them. So the wall is read first: a delay makes programs older. The
// latest of some readings had the least delay.
func bootedAt(wall func() time.Time, up func() time.Duration) (at time.Time) {
	const readings = 3
	for range readings {
		now := wall()
		d := up()
		if d == 0 {
			return time.Time{}
		}
		if t := now.Add(-d); t.After(at) {
			at = t
		}
	}
	return at
}

// changedAfter says that a file was changed after a program was started that reads it then, or that this is not known: what the file says
// now is then not what the program does.
func (s *Scan) changedAfter(p *process, file string, st host.Stat) error {
	if !s.Host.Live() {
		return nil
	}
	if at := s.startOf(p.PID); at.IsZero() || st.Changed.After(at) {
		return fmt.Errorf("%s was changed after the program was started", file)
	}
	return nil
}

// readAtStart reads a file that a process names and has read when it was started.
func (s *Scan) readAtStart(p *process, file string) ([]byte, error) {
	b, st, err := s.readNamed(p, file)
	if err == nil {
		err = s.changedAfter(p, file, st)
	}
	return b, err
}
