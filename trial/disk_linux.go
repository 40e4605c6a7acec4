//go:build linux && !ringfence_portable

package trial

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
)

// Disk keeps the state, and what is done at boot, below a directory.
type Disk struct {
	Root string // "" is /
}

// maxState bounds the state that is read back, in bytes.
const maxState = 64 << 20

func (d Disk) path(name string) string { return filepath.Join("/", d.Root, name) }

const (
	stateDir  = "var/lib/ringfence"
	stateFile = stateDir + "/state.json"
	lockFile  = "run/ringfence.lock"
)

// Lock makes sure that one fix is made at a time. The lock ends with the process.
func (d Disk) Lock() (unlock func(), err error) {
	name := d.path(lockFile)
	if err := host.MakeDir(filepath.Dir(name), 0o755); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err == nil {
		err = host.RootsAlone(name) // one that somebody else made would be locked by them
	}
	if err != nil {
		if f != nil {
			_ = f.Close()
		}
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrBusy
		}
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return func() { _ = f.Close() }, nil
}

// Load reads the state; without one it is nil.
func (d Disk) Load() (*State, error) {
	b, err := host.ReadOwn(d.path(stateFile), maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	st := new(State)
	if err := json.Unmarshal(b, st); err != nil {
		return nil, fmt.Errorf("state: %s: %w", d.path(stateFile), err)
	}
	if st.Plan == nil && st.File == nil && len(st.Files) == 0 {
		return nil, fmt.Errorf("state: %s has no plan", d.path(stateFile))
	}
	return st, nil
}

// Save writes the state so that it is either the old or the new one, also after a power cut.
func (d Disk) Save(st *State) error {
	b, err := json.MarshalIndent(st, "", " ")
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if err := host.MakeDir(d.path(stateDir), 0o700); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return host.WriteOwn(d.path(stateFile), b, 0o600)
}

// Forget removes the state.
func (d Disk) Forget() error {
	if err := os.Remove(d.path(stateFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

// Clear removes the directory of the state and the lock.
func (d Disk) Clear() error {
	_ = os.Remove(d.path(stateDir)) // it stays where something else is in it
	return ignoreMissing(os.Remove(d.path(lockFile)))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
