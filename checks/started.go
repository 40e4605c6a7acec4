//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
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
	var up unix.Timespec
	if err != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &up) != nil {
		return time.Time{}
	}
	age := time.Duration(up.Nano()) - time.Duration(ticks)*(time.Second/clockTicks)
	return time.Now().Add(startSlack - age)
}
