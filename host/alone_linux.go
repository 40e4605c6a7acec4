//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// aloneWait is how long a file is waited for that another run has.
const aloneWait = 10 * time.Second

// Alone keeps other runs of this program from a file that is read and then replaced, until what it returns is called. The lock is on the
// directory, which stays when the file is replaced; it ends with the process.
func Alone(name string) (release func(), err error) {
	if to, err := filepath.EvalSymlinks(name); err == nil {
		name = to
	}
	d, err := os.Open(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	for until := time.Now().Add(aloneWait); ; time.Sleep(20 * time.Millisecond) {
		err := unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = d.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) || time.Now().After(until) {
			_ = d.Close()
			return nil, fmt.Errorf("lock the directory of %s, waited %s: %w", name, aloneWait, err)
		}
	}
}
