//go:build linux && !ringfence_portable

package dropin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host"
)

// maxOld bounds a drop-in that was there before ours, in bytes.
const maxOld = 1 << 20

// Services puts files of services in place on this host, and takes them back.
type Services struct {
	root string // of the files; "" is /
	sys  system
}

// On are the services of this host, whose files are below a directory; "" is /.
func On(root string) *Services { return &Services{root, real{}} }

func (s *Services) path(name string) string { return filepath.Join("/", s.root, name) }

// Record is what is where a file goes, before anything is changed: what takes it back.
func (s *Services) Record(f *File) (*Applied, error) {
	a := &Applied{File: *f, Values: map[string]string{}}
	b, err := host.ReadOwn(s.path(f.Path), maxOld)
	switch {
	case err == nil:
		a.Old = new(string(b))
		if st, err := os.Lstat(s.path(f.Path)); err == nil {
			a.Mode = st.Mode().Perm()
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	if a.Serves, err = s.serves(context.Background(), f); err != nil {
		return nil, err
	}
	read := map[string]func(string) (string, error){serviceSysctl: s.sys.sysctl, serviceSocket: a.File.socketMode}[f.Service]
	if read == nil {
		return a, nil
	}
	for name := range f.Want {
		if a.Values[name], err = read(name); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Place writes a file, has it validated and read by its service, and compares what holds with what was wanted. After an error it can
// be in place: take it back.
func (s *Services) Place(ctx context.Context, a *Applied) error {
	f := &a.File
	if err := host.MakeDir(s.path(filepath.Dir(f.Path)), 0o755); err != nil {
		return fmt.Errorf("%s: %w", f.Service, err)
	}
	if err := host.WriteOwn(s.path(f.Path), []byte(f.Content), 0o644); err != nil {
		return err
	}
	if f.Unit != "" && !s.sys.systemd() {
		return fmt.Errorf("%s: systemd does not run here", f.Unit)
	}
	if len(f.Validate) > 0 && (f.Service != serviceSocket || s.sys.systemd() && exists(f.Validate[0])) {
		if out, err := s.sys.run(ctx, f.Validate); err != nil {
			return fmt.Errorf("%s refuses the file: %s", f.Service, firstOfLines(out, err))
		}
	}
	if err := s.checkEach(ctx, f, f.Configs); err != nil {
		return err
	}
	if err := s.reload(ctx, f, f.Want, f.withoutStops(a.Serves)); err != nil {
		return err
	}
	return s.Holds(ctx, a)
}

// checkEach has the program of a server check each configuration that one of them reads, before any reads it again.
func (s *Services) checkEach(ctx context.Context, f *File, configs []string) error {
	for _, config := range configs {
		if out, err := s.sys.run(ctx, slices.Concat(f.Validate, []string{"-f", config})); err != nil {
			return fmt.Errorf("%s refuses %s, so it is not reloaded: %s", f.Service, config, firstOfLines(out, err))
		}
	}
	return nil
}

// reload has the service read its configuration, and wants it to serve these addresses then: of sysctl, the values are written.
func (s *Services) reload(ctx context.Context, f *File, values map[string]string, serves map[int][]string) error {
	if f.Service == serviceSysctl {
		return s.setSysctls(values)
	}
	if f.Service == serviceSocket || f.Unit != "" {
		return s.restart(ctx, f, values, serves[0])
	}
	for _, pid := range f.PIDs {
		was, err := s.sys.serves(pid)
		if err == nil {
			err = s.sys.hangUp(pid)
		}
		if err != nil {
			return fmt.Errorf("reload %s, process %d: %w", f.Service, pid, err)
		}
		if err := s.servesAgain(ctx, f, pid, serves[pid], was); err != nil {
			return err
		}
	}
	return nil
}

// restart has systemd read its files again. A unit starts again with them, and serves what it did; a socket gets its mode and owner at once.
func (s *Services) restart(ctx context.Context, f *File, values map[string]string, serves []string) error {
	if s.sys.systemd() {
		if out, err := s.sys.run(ctx, []string{systemctl, "daemon-reload"}); err != nil {
			return fmt.Errorf("systemd reads its files again: %s", firstOfLines(out, err))
		}
	}
	for socket, mode := range values {
		if f.Service == serviceSocket {
			if err := f.setSocketMode(socket, mode); err != nil {
				return err
			}
		}
	}
	if f.Unit == "" || s.initializing(ctx) {
		return nil
	}
	if out, err := s.sys.run(ctx, []string{systemctl, "restart", "--", f.Unit}); err != nil {
		return fmt.Errorf("restart %s: %s", f.Unit, firstOfLines(out, err))
	}
	return s.unitServesAgain(ctx, f.Unit, serves)
}

// setSysctls writes the values that are others now: all that it can.
func (s *Services) setSysctls(values map[string]string) error {
	var failed []string
	var last error
	for name, v := range values {
		if now, err := s.sys.sysctl(name); err == nil && now == v {
			continue
		}
		if err := s.sys.setSysctl(name, v); err != nil {
			failed, last = append(failed, name), err
		}
	}
	if last != nil {
		slices.Sort(failed)
		return fmt.Errorf("set %s: %w", strings.Join(failed, ", "), last)
	}
	return nil
}

// Holds compares what holds now with what was wanted.
func (s *Services) Holds(ctx context.Context, a *Applied) error {
	f := &a.File
	if len(f.Configs) == 0 {
		got, err := s.inEffect(ctx, f)
		if err != nil {
			return err
		}
		return f.compare(got)
	}
	for _, config := range f.Configs {
		got, err := s.told(ctx, f, slices.Concat(f.Effective, []string{"-f", config}))
		if err != nil {
			return err
		}
		if err := f.compare(got); err != nil {
			return fmt.Errorf("%s: %w", config, err)
		}
	}
	return nil
}

// compare wants what holds to be what was wanted.
func (f *File) compare(got map[string]string) error {
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

// inEffect is what holds now, by the names of the settings in lower case.
func (s *Services) inEffect(ctx context.Context, f *File) (map[string]string, error) {
	got := map[string]string{}
	switch f.Service {
	case serviceSysctl, serviceSocket:
		read := s.sys.sysctl
		if f.Service == serviceSocket {
			read = f.socketMode
		}
		for name := range f.Want {
			v, err := read(name)
			if err != nil {
				return nil, err
			}
			got[strings.ToLower(name)] = v
		}
		return got, nil
	}
	return s.told(ctx, f, f.Effective)
}

// told is what a program of the service says that holds.
func (s *Services) told(ctx context.Context, f *File, argv []string) (map[string]string, error) {
	got := map[string]string{}
	out, err := s.sys.run(ctx, argv)
	if err != nil {
		return nil, fmt.Errorf("ask %s what holds: %s", f.Service, firstOfLines(out, err))
	}
	for line := range strings.Lines(out) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || f.Unit == "" {
			name, value, _ = strings.Cut(strings.TrimSpace(line), " ")
		}
		got[strings.ToLower(name)] = value
	}
	return got, nil
}

// Changed says whether the file that was put in place is there, and is another now: somebody changed it, or put theirs there.
func (s *Services) Changed(a *Applied) bool {
	b, err := host.ReadOwn(s.path(a.File.Path), maxOld)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return string(b) != a.File.Content && (a.Old == nil || string(b) != *a.Old)
}

// TakeBack puts everything as it was before the file. What somebody made of that stays beside it. What it cannot, it says; it can be called again.
func (s *Services) TakeBack(ctx context.Context, a *Applied) error {
	var err error
	if s.Changed(a) {
		if err := os.Rename(s.path(a.File.Path), s.path(a.Aside())); err != nil {
			return fmt.Errorf("take %s back: keep what somebody made of it: %w", a.File.Path, err)
		}
	}
	if a.Old != nil {
		err = host.WriteOwn(s.path(a.File.Path), []byte(*a.Old), cmp.Or(a.Mode, 0o644))
	} else if err = os.Remove(s.path(a.File.Path)); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("take %s back: %w", a.File.Path, err)
	}
	if dir := filepath.Dir(a.File.Path); a.Old == nil && (strings.HasSuffix(dir, ".service.d") || strings.HasSuffix(dir, ".socket.d")) {
		_ = os.Remove(s.path(dir)) // it stays where somebody else has files there
	}
	alive := a.File
	alive.PIDs = slices.DeleteFunc(slices.Clone(alive.PIDs), func(pid int) bool { return !s.sys.isServer(pid) })
	values := maps.Clone(a.Values)
	maps.DeleteFunc(values, func(name, _ string) bool { return a.File.Service == serviceSocket && !a.File.hasSocket(name) })
	if len(alive.PIDs) > 0 { // a server that reads what it refuses ends
		if err := s.checkEach(ctx, &alive, alive.Configs); err != nil {
			return err
		}
	}
	return s.reload(ctx, &alive, values, a.Serves)
}
