//go:build linux && !ringfence_portable

package remedy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
)

// Applied is a drop-in that was put in place, and what was there before.
type Applied struct {
	ID   string `json:"id"` // of its transaction
	File File   `json:"file"`
	// Old is the file of that name as it was; nil where there was none.
	Old *string `json:"old,omitempty"`
	// Values are the kernel's settings as they were, or mode and owner of a socket.
	Values map[string]string `json:"values,omitempty"`
}

// BeginFile writes down that a drop-in is going to be put in place on trial, and what takes it back.
func (s Store) BeginFile(f *File, wait time.Duration) (*State, error) {
	a := &Applied{ID: newID(), File: *f, Values: map[string]string{}}
	b, err := readOwn(s.path(f.Path), maxOld)
	switch {
	case err == nil:
		a.Old = new(string(b))
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	for name := range f.Want {
		read := map[string]func(string) (string, error){serviceSysctl: readSysctl, serviceSocket: a.File.socketMode}[f.Service]
		if read == nil {
			break
		}
		if a.Values[name], err = read(name); err != nil {
			return nil, err
		}
	}
	boot, netns, now, err := Here()
	if err != nil {
		return nil, err
	}
	st := &State{
		ID: a.ID, Phase: PhaseTrial, BootID: boot, Netns: netns, Applied: now, Deadline: now + int64(wait), File: a,
	}
	if st.Before, err = s.Load(); err != nil {
		return nil, err
	}
	return st, s.Save(st)
}

// PutFile writes the drop-in of a transaction, has it validated and read by its service, and compares what
// holds with what was wanted.
func (s Store) PutFile(st *State) error {
	f := &st.File.File
	if err := makeDir(s.path(filepath.Dir(f.Path)), 0o755); err != nil {
		return fmt.Errorf("%s: %w", f.Service, err)
	}
	if err := writeWhole(s.path(f.Path), []byte(f.Content), 0o644); err != nil {
		return err
	}
	if f.Unit != "" && !host.Systemd() {
		return fmt.Errorf("%s: systemd does not run here", f.Unit)
	}
	if len(f.Validate) > 0 && (f.Service != serviceSocket || host.Systemd() && exists(f.Validate[0])) {
		if out, err := run(f.Validate); err != nil {
			return fmt.Errorf("%s refuses the file: %s", f.Service, firstOfLines(out, err))
		}
	}
	if err := f.reload(f.Want); err != nil {
		return err
	}
	return f.holds()
}

// reload has the service read its configuration: of sysctl, the values are written.
func (f *File) reload(values map[string]string) error {
	if f.Service == serviceSysctl {
		return setSysctls(values)
	}
	if f.Service == serviceSocket || f.Unit != "" {
		return f.restart(values)
	}
	for _, pid := range f.PIDs {
		if err := hangUp(pid); err != nil {
			return fmt.Errorf("reload %s, process %d: %w", f.Service, pid, err)
		}
	}
	// A server that cannot start again with its configuration ends: it gets a moment to do so.
	for range 10 {
		time.Sleep(50 * time.Millisecond)
		for _, pid := range f.PIDs {
			if unix.Kill(pid, 0) != nil {
				return fmt.Errorf("%s, process %d, ended when it was reloaded", f.Service, pid)
			}
		}
	}
	return nil
}

// setSysctls writes the values that are others now: all that it can.
func setSysctls(values map[string]string) error {
	var failed []string
	var last error
	for name, v := range values {
		if now, err := readSysctl(name); err == nil && now == v {
			continue
		}
		if err := os.WriteFile(sysctlPath(name), []byte(v), 0); err != nil {
			failed, last = append(failed, name), err
		}
	}
	if last != nil {
		slices.Sort(failed)
		return fmt.Errorf("set %s: %w", strings.Join(failed, ", "), errors.Unwrap(last))
	}
	return nil
}

// holds compares what holds now with what was wanted.
func (f *File) holds() error {
	got := map[string]string{}
	if f.Service == serviceSysctl {
		for name := range f.Want {
			v, err := readSysctl(name)
			if err != nil {
				return err
			}
			got[strings.ToLower(name)] = v
		}
	} else if f.Service == serviceSocket {
		for name := range f.Want {
			v, err := f.socketMode(name)
			if err != nil {
				return err
			}
			got[strings.ToLower(name)] = v
		}
	} else {
		out, err := run(f.Effective)
		if err != nil {
			return fmt.Errorf("ask %s what holds: %s", f.Service, firstOfLines(out, err))
		}
		for line := range strings.Lines(out) {
			name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
			if !ok || f.Unit == "" {
				name, value, _ = strings.Cut(strings.TrimSpace(line), " ")
			}
			got[strings.ToLower(name)] = value
		}
	}
	for name, want := range f.Want {
		v := got[strings.ToLower(name)]
		if v == "without-password" { // sshd's older name of the same
			v = "prohibit-password"
		}
		if v != want {
			return fmt.Errorf("%s: %s is %q in effect, not %q: another file comes first", f.Service, name, v, want)
		}
	}
	return nil
}

// takeBack puts everything as it was before the drop-in.
func (s Store) takeBack(a *Applied) error {
	var err error
	if a.Old != nil {
		err = writeWhole(s.path(a.File.Path), []byte(*a.Old), 0o644)
	} else {
		err = ignoreMissing(os.Remove(s.path(a.File.Path)))
	}
	if err != nil {
		return fmt.Errorf("take %s back: %w", a.File.Path, err)
	}
	if dir := filepath.Dir(a.File.Path); a.Old == nil && (strings.HasSuffix(dir, ".service.d") || strings.HasSuffix(dir, ".socket.d")) {
		_ = os.Remove(s.path(dir)) // it stays where somebody else has files there
	}
	if err := s.disarmBoot(); err != nil {
		return err
	}
	alive := a.File
	alive.PIDs = slices.DeleteFunc(slices.Clone(alive.PIDs), func(pid int) bool { return !isServer(pid) })
	values := maps.Clone(a.Values)
	maps.DeleteFunc(values, func(name, _ string) bool { return a.File.Service == serviceSocket && !a.File.hasSocket(name) })
	return alive.reload(values)
}

// ConfirmFile keeps the drop-in that is on trial.
func (s Store) ConfirmFile(st *State) error {
	if _, ok := st.Pending(); !ok || st.File == nil {
		return ErrNotPending
	}
	if err := st.File.File.holds(); err != nil {
		return err
	}
	next := st.Before
	if next == nil {
		next = &State{ID: st.ID, Phase: PhaseConfirmed, BootID: st.BootID, Netns: st.Netns}
	}
	next.Files = append(next.Files, *st.File)
	if err := s.Save(next); err != nil {
		return err
	}
	return s.disarmBoot()
}

func sysctlPath(name string) string {
	return "/proc/sys/" + strings.ReplaceAll(name, ".", "/")
}

func readSysctl(name string) (string, error) {
	b, err := host.Local().ReadFile(sysctlPath(name))
	if err != nil {
		return "", fmt.Errorf("sysctl %s: %w", name, err)
	}
	return strings.TrimSpace(string(b)), nil
}

// runLimit bounds how long a program may take: systemd itself gives a service 90 seconds to stop, and as many to start.
const runLimit = 4 * time.Minute

// run runs a program by its absolute path, which root alone decides about.
func run(argv []string) (string, error) {
	if err := rootsAlone(argv[0]); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), runLimit)
	defer cancel()
	var out bytes.Buffer
	cmd := host.Command(ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = host.Environment(), &out, &out
	err := host.Run(cmd)
	return out.String(), err
}

func firstOfLines(out string, err error) string {
	if line, _, _ := strings.Cut(strings.TrimSpace(out), "\n"); line != "" {
		return line
	}
	return err.Error()
}
