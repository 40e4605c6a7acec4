//go:build linux && !ringfence_portable

package trial

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
)

// bootClock is the kernel's.
type bootClock struct{}

// Here is the boot and the network namespace that this thread is in, and the time since boot.
func (bootClock) Here() (Moment, error) {
	b, err := host.Local().ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Moment{}, fmt.Errorf("boot id: %w", err)
	}
	// Of this thread: the first one can be left in a namespace that a collector looked into.
	netns, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return Moment{}, fmt.Errorf("network namespace: %w", err)
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return Moment{}, fmt.Errorf("clock: %w", err)
	}
	return Moment{Boot: strings.TrimSpace(string(b)), Netns: netns, Now: ts.Nano()}, nil
}

// Lives says whether a process is in a network namespace, or a file has it.
func (bootClock) Lives(netns string) bool {
	mounts, err := host.Local().ReadFile("/proc/self/mountinfo") // the fourth field is the root of a mount (proc_pid_mountinfo(5))
	if err == nil && strings.Contains(string(mounts), " "+netns+" ") {
		return true
	}
	pids, perr := host.Local().PIDs()
	if err != nil || perr != nil {
		return true
	}
	for _, pid := range pids {
		if is, err := host.Local().Readlink(fmt.Sprintf("/proc/%d/ns/net", pid)); err == nil && is == netns {
			return true
		}
	}
	return false
}

func (bootClock) Sleep(d time.Duration) { time.Sleep(d) }
