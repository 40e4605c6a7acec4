//go:build linux && !ringfence_portable

package trial

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/host"
)

// loginProgram says of a process name that it is the one that a login runs under.
func loginProgram(comm string) bool {
	switch comm {
	case "sshd", "sshd-session", "dropbear", "login", "in.telnetd":
		return true
	}
	return false
}

// clockTick is the unit of start times in /proc/PID/stat (USER_HZ, 100 on every Linux architecture that Go
// runs on).
const clockTick = 10_000_000 // ns

// Login finds the login that a process belongs to, and when that began, in nanoseconds of CLOCK_BOOTTIME. A
// process that was detached from its login (a terminal multiplexer, a service) has none.
func Login(pid int) (program string, start int64, err error) {
	for range 128 {
		comm, parent, began, err := stat(pid)
		if err != nil {
			return "", 0, err
		}
		if loginProgram(comm) {
			return comm, began, nil
		}
		if parent <= 1 {
			return "", 0, nil
		}
		pid = parent
	}
	return "", 0, nil
}

// stat reads the name, the parent and the start time of a process (proc_pid_stat(5)).
func stat(pid int) (comm string, parent int, start int64, err error) {
	b, err := host.Local().ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", 0, 0, fmt.Errorf("process %d: %w", pid, err)
	}
	open, end := strings.IndexByte(string(b), '('), strings.LastIndexByte(string(b), ')')
	if open < 0 || end < open {
		return "", 0, 0, fmt.Errorf("process %d: stat is not readable", pid)
	}
	f := strings.Fields(string(b[end+1:])) // from field 3 on
	if len(f) < 20 {
		return "", 0, 0, fmt.Errorf("process %d: stat is too short", pid)
	}
	parent, err = strconv.Atoi(f[1])
	if err != nil {
		return "", 0, 0, fmt.Errorf("process %d: %w", pid, err)
	}
	ticks, err := strconv.ParseInt(f[19], 10, 64)
	if err != nil {
		return "", 0, 0, fmt.Errorf("process %d: %w", pid, err)
	}
	return string(b[open+1 : end]), parent, ticks * clockTick, nil
}
