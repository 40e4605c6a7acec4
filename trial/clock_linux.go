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

func (bootClock) Sleep(d time.Duration) { time.Sleep(d) }
