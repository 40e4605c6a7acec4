//go:build linux && !ringfence_portable

package remedy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
)

// The phases of a transaction.
const (
	PhaseTrial     = "trial"
	PhaseConfirmed = "confirmed"
)

// State is what is known of the last transaction. Times are of CLOCK_BOOTTIME, which no clock step moves.
type State struct {
	ID       string `json:"id"`
	Phase    string `json:"phase"`
	BootID   string `json:"bootId"`
	Netns    string `json:"netns"` // where it was loaded, as "net:[inode]"
	Applied  int64  `json:"applied"`
	Deadline int64  `json:"deadline"`
	Plan     *Plan  `json:"plan,omitempty"`
	// Trial and Lasting are the plan's tables as the kernel told them in the replica.
	Trial   json.RawMessage `json:"trial,omitempty"`
	Lasting json.RawMessage `json:"lasting,omitempty"`
	// Persisted says that the plan is loaded at boot, Booted is the tables as that makes them: nft can put the same
	// rules into other expressions.
	Persisted bool            `json:"persisted"`
	Booted    json.RawMessage `json:"booted,omitempty"`
	// Evidence is what the proof found.
	Evidence []string `json:"evidence,omitempty"`
	// File is a drop-in on trial, Files are those that were kept.
	File  *Applied  `json:"file,omitempty"`
	Files []Applied `json:"files,omitempty"`
	// Before is the confirmed state that a trial would replace.
	Before *State `json:"before,omitempty"`
}

// Store keeps the state below a directory, and what is loaded at boot below another.
type Store struct {
	Root string // "" is /
}

func (s Store) path(name string) string { return filepath.Join("/", s.Root, name) }

const (
	stateDir  = "var/lib/ringfence"
	stateFile = stateDir + "/state.json"
	lockFile  = "run/ringfence.lock"
)

// ErrBusy says that another fix is being made.
var ErrBusy = errors.New("another fix is at work")

// Lock makes sure that one fix is made at a time. The lock ends with the process.
func (s Store) Lock() (unlock func(), err error) {
	name := s.path(lockFile)
	if err := makeDir(filepath.Dir(name), 0o755); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err == nil {
		err = rootsAlone(name) // one that somebody else made would be locked by them
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
func (s Store) Load() (*State, error) {
	b, err := readOwn(s.path(stateFile), maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	st := new(State)
	if err := json.Unmarshal(b, st); err != nil {
		return nil, fmt.Errorf("state: %s: %w", s.path(stateFile), err)
	}
	if st.Plan == nil && st.File == nil && len(st.Files) == 0 {
		return nil, fmt.Errorf("state: %s has no plan", s.path(stateFile))
	}
	return st, nil
}

// Save writes the state so that it is either the old or the new one, also after a power cut.
func (s Store) Save(st *State) error {
	b, err := json.MarshalIndent(st, "", " ")
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if err := makeDir(s.path(stateDir), 0o700); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return writeWhole(s.path(stateFile), b, 0o600)
}

// Forget removes the state.
func (s Store) Forget() error {
	if err := os.Remove(s.path(stateFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

// Here is the boot and the network namespace that this process is in, and the time since boot.
func Here() (boot, netns string, now int64, err error) {
	b, err := host.Local().ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", "", 0, fmt.Errorf("boot id: %w", err)
	}
	// Of this thread: the first one can be left in a namespace that a collector looked into.
	if netns, err = os.Readlink("/proc/thread-self/ns/net"); err != nil {
		return "", "", 0, fmt.Errorf("network namespace: %w", err)
	}
	now, err = sinceBoot()
	return strings.TrimSpace(string(b)), netns, now, err
}

func sinceBoot() (int64, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0, fmt.Errorf("clock: %w", err)
	}
	return ts.Nano(), nil
}

// ErrElsewhere says that the last fix was made in another network namespace of this boot.
var ErrElsewhere = errors.New("the last fix was made in another network namespace: run this there")

// Ours says whether a fix is one of the network namespace that this process is in.
func (st *State) Ours() error {
	boot, netns, _, err := Here()
	if err == nil && st != nil && st.BootID == boot && st.Netns != netns {
		return ErrElsewhere
	}
	return err
}

// Pending says whether a trial of this boot waits for its confirmation, and for how much longer.
func (st *State) Pending() (time.Duration, bool) {
	if st == nil || st.Phase != PhaseTrial {
		return 0, false
	}
	boot, netns, now, err := Here()
	if err != nil || boot != st.BootID || netns != st.Netns {
		return 0, false
	}
	left := time.Duration(st.Deadline - now)
	return left, left > 0
}
