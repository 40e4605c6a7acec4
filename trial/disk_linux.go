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
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/snapshot"
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
	// copyFile is the state once more, for the day on which something that is not ours damages the file.
	copyFile = stateDir + "/state.copy.json"
	lockFile = "run/ringfence.lock"
)

// Lock makes sure that one fix is made at a time. The lock ends with the process. Its file goes with it where nothing is kept of a fix.
func (d Disk) Lock() (unlock func(), err error) {
	name := d.path(lockFile)
	var made []string // for it
	for _, dir := range []string{filepath.Dir(name), filepath.Join("/", d.Root)} {
		if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
			made = append(made, dir)
		}
	}
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
	if there, err := os.Lstat(name); err != nil || !sameFile(f, there) { // who had it before took its file away
		_ = f.Close()
		return nil, ErrBusy
	}
	return func() {
		if _, err := os.Lstat(d.path(stateDir)); errors.Is(err, fs.ErrNotExist) {
			_ = os.Remove(name)
			for _, dir := range made {
				_ = os.Remove(dir)
			}
		}
		_ = f.Close()
	}, nil
}

func sameFile(f *os.File, there os.FileInfo) bool {
	st, err := f.Stat()
	return err == nil && os.SameFile(st, there)
}

// Load reads the state; without one it is nil. Of one that is gone or damaged the copy is read; a DamagedError says that both are.
func (d Disk) Load() (*State, error) {
	st, err := d.loadFile(stateFile)
	if st != nil {
		return st, nil
	}
	if same, cerr := d.loadFile(copyFile); cerr == nil && same != nil {
		return same, nil
	}
	return nil, err
}

// loadFile reads a state; without the file it is nil.
func (d Disk) loadFile(name string) (*State, error) {
	name = d.path(name)
	b, err := host.ReadOwn(name, maxState)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil: // it is nobody's that is believed, or no file
		return nil, &DamagedError{err}
	}
	st := new(State)
	if err := json.Unmarshal(b, st); err != nil {
		return nil, &DamagedError{fmt.Errorf("%s: %w", name, err)}
	}
	if err := st.whole(); err != nil {
		return nil, &DamagedError{fmt.Errorf("%s %w", name, err)}
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
	if err := host.WriteOwn(d.path(stateFile), b, 0o600); err != nil {
		return err
	}
	if host.WriteOwn(d.path(copyFile), b, 0o600) != nil { // none is better than an older one
		_ = os.Remove(d.path(copyFile))
	}
	return nil
}

// Forget removes the state: the copy first, which would count without it.
func (d Disk) Forget() error {
	for _, name := range []string{copyFile, stateFile} {
		if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("state: %w", err)
		}
	}
	d.sweep(stateDir)
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

// Loaded is the plan that is confirmed and loaded as it was, nil where there is none or its state cannot be read.
func (d Disk) Loaded(s *snapshot.Snapshot) *remedy.Plan {
	st, err := d.Load()
	if err != nil || st == nil || st.Phase != PhaseConfirmed || st.Drift(s.NFTables.Ruleset) != nil {
		return nil
	}
	return st.Plan
}
