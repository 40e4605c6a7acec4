package winhost

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/registry"
	"github.com/ringfence/ringfence/snapshot"
)

// File is one of the files that a host was written down in.
type File struct {
	Name string // without its directory
	Size int64
	Time time.Time // when it was last changed
	io.ReaderAt
}

// ErrNothing is returned where no file is one that is known.
var ErrNothing = errors.New("no hive, no text of regedit, no registry.pol, no export of netsh and no JSON of PowerShell that is known")

// maxWhole bounds a file that is read whole; a hive is read where it is asked.
const maxWhole = 256 << 20

// FromFiles is what files tell of a host. They are known by what is in them; those that are not are returned by name with the reason.
// One that is damaged is a gap of each part that could have been in it.
func FromFiles(files []File) (s *Source, ignored []string, err error) {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	s = &Source{Users: map[string]registry.Key{}}
	r := &filesReader{s: s, machine: new(registry.Tree), ssh: sshFiles{}, logs: map[string][]*File{}, told: map[shellKind]*shellFile{}}
	known := 0
	for i := range files {
		if of := r.logOf(files, i); of != "" {
			r.logs[of] = append(r.logs[of], &files[i])
		}
	}
	older := olderHives(files)
	for i := range files {
		if r.logOf(files, i) != "" {
			continue // it is read with its hive
		}
		err := older[i]
		if err == nil {
			err = r.file(&files[i])
		}
		if err == nil {
			known++
			continue
		}
		ignored = append(ignored, files[i].Name+": "+short(err))
		if d := new(damagedError); errors.As(err, &d) {
			for _, part := range d.parts {
				s.note(part, "%s was not read: %s", files[i].Name, short(err))
			}
		}
	}
	s.Ignored = ignored
	if known == 0 {
		return nil, ignored, ErrNothing
	}
	if r.registry {
		s.Machine = r.machine
	}
	if r.ssh[sshConfig] != nil {
		s.SSHFiles = r.ssh.directory()
	}
	return s, ignored, nil
}

// Newest is when the last of the files was changed: what is in them was so then, or before.
func Newest(files []File) (t time.Time) {
	for i := range files {
		if files[i].Time.After(t) {
			t = files[i].Time
		}
	}
	return t
}

type filesReader struct {
	s        *Source
	machine  *registry.Tree
	registry bool
	ssh      sshFiles
	logs     map[string][]*File // of hives, by their names in lower case
	texts    []readText
	told     map[shellKind]*shellFile
}

// logOf is the hive that a file is a log of, by its name, "" if it is none, or the hive is not there.
func (r *filesReader) logOf(files []File, i int) string {
	name := strings.ToLower(files[i].Name)
	ext := path.Ext(name)
	of := strings.TrimSuffix(name, ext)
	if ext != ".log" && ext != ".log1" && ext != ".log2" || !slices.ContainsFunc(files, func(f File) bool { return strings.ToLower(f.Name) == of }) {
		return ""
	}
	return of
}

// recovered is a hive that was not written to its end, with what its logs have, or why it cannot be made.
func (r *filesReader) recovered(f *File) (*registry.Hive, error) {
	files := r.logs[strings.ToLower(f.Name)]
	if len(files) == 0 {
		return nil, errNoLogs
	}
	var logs []*registry.HiveLog
	for _, l := range files {
		if l.Size == 0 {
			continue // it was never used
		}
		log, err := registry.OpenHiveLog(l, l.Size)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.Name, err)
		}
		logs = append(logs, log)
	}
	b, err := registry.Recover(f, f.Size, logs...)
	if err != nil {
		return nil, err
	}
	return registry.OpenHive(bytes.NewReader(b), int64(len(b)))
}

var errNoLogs = errors.New("its logs (.LOG1, .LOG2) are not here")

var errNotKnown = errors.New("it is not known")

// damagedError is of a file of a kind that is known, which could not be read: what it told of these parts is not known.
type damagedError struct {
	parts []string
	error
}

func (e *damagedError) Unwrap() error { return e.error }

// damaged says of an error what the file could have told; nil and what says that the file is none of the kind stay as they are.
func damaged(err error, parts ...string) error {
	if err == nil {
		return nil
	}
	for _, other := range []error{errNotKnown, errNoObjects, errNoState, errTwice} {
		if errors.Is(err, other) {
			return err
		}
	}
	return &damagedError{parts, err}
}

func (r *filesReader) file(f *File) error {
	head := make([]byte, 64)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	head = head[:n]
	if name := sshName(f.Name); name != "" && f.Size <= maxSSHFile {
		return r.keepSSH(name, f)
	}
	if bytes.HasPrefix(head, []byte("regf")) {
		return damaged(r.hive(f), snapshot.WindowsParts...)
	}
	if f.Size > maxWhole {
		return registry.ErrTooMuch
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size))
	if err != nil {
		return err
	}
	if bytes.HasPrefix(head, []byte("PReg")) {
		return damaged(r.pol(f.Name, b), snapshot.WindowsParts...)
	}
	begin := strings.TrimLeft(strings.ToValidUTF8(strings.ReplaceAll(string(head), "\x00", ""), ""), "\ufeff \r\n\t")
	switch {
	case strings.HasPrefix(begin, "Windows Registry Editor") || strings.HasPrefix(begin, "REGEDIT4"):
		return damaged(r.text(f.Name, b), snapshot.WindowsParts...)
	case strings.HasPrefix(begin, "<"):
		return damaged(r.state(b), "filters")
	case strings.HasPrefix(begin, "[") || strings.HasPrefix(begin, "{"):
		return r.shell(f, b)
	}
	return r.s.netstat(b)
}

var errTwice = errors.New("another file of that name counts")

// keepSSH keeps a file of the SSH server.
func (r *filesReader) keepSSH(name string, f *File) error {
	if r.ssh[name] != nil {
		return errTwice
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size))
	if err == nil {
		r.ssh[name] = append([]byte{}, b...)
	}
	return err
}

// state reads the filters of the engine. Where two exports are there, that with more of what decides counts: a state has sublayers.
func (r *filesReader) state(b []byte) error {
	filters, err := ReadState(b)
	if err != nil {
		if r.s.Filters == nil {
			r.s.FiltersRead = snapshot.Fact{State: snapshot.Error, Reason: short(err)}
		}
		return err
	}
	if old := r.s.Filters; old == nil || len(old.Sublayers) < len(filters.Sublayers) {
		r.s.Filters = filters
	}
	return nil
}

// The places of hives of the machine.
const (
	placeFirewall = "firewall"
	placeSystem   = "SYSTEM"
	placeUser     = "user"
	placeSoftware = "SOFTWARE"
)

// placeOf is what a hive is, by its first keys; "" where it is none that is known.
func placeOf(names []string) string {
	has := func(any ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool {
			return slices.ContainsFunc(any, func(a string) bool { return strings.EqualFold(n, a) })
		})
	}
	switch {
	case has("FirewallRules", "StandardProfile"): // netsh advfirewall export
		return placeFirewall
	case has("CurrentControlSet", "ControlSet001", "Select"):
		return placeSystem
	case has("Software", "Environment"):
		return placeUser
	case has("Microsoft", "Policies", "Classes"):
		return placeSoftware
	}
	return ""
}

// olderHives are the hives beside which a later one of the same place is there, as a backup (RegBack, Windows.old) has it: rules
// of one time are not to be mixed with those of another. Of two that were written at once the first counts.
func olderHives(files []File) map[int]error {
	type last struct {
		file    int
		written time.Time
	}
	older, newest := map[int]error{}, map[string]last{}
	for i := range files {
		h, err := registry.OpenHive(files[i], files[i].Size)
		if err != nil {
			continue // it is none, or it is told when it is read
		}
		var names []string
		if root, err := h.Root(); err == nil {
			names, _ = root.Keys()
		}
		place := placeOf(names)
		if place == "" || place == placeUser {
			continue
		}
		now := last{i, h.Written}
		if old, ok := newest[place]; ok {
			if !now.written.After(old.written) {
				now, old = old, now
			}
			older[old.file] = fmt.Errorf("%w: %s counts", errOlder, files[now.file].Name)
		}
		newest[place] = now
	}
	return older
}

var errOlder = errors.New("another hive of the same keys is there")

// hive mounts a hive by what its first keys are.
func (r *filesReader) hive(f *File) error {
	h, err := registry.OpenHive(f, f.Size)
	if err != nil {
		return err
	}
	var lacks error
	if h.Dirty {
		var whole *registry.Hive
		if whole, lacks = r.recovered(f); lacks == nil {
			h = whole
		}
	}
	root, err := h.Root()
	if err != nil {
		return err
	}
	names, err := root.Keys()
	if err != nil {
		return err
	}
	parts := snapshot.WindowsParts
	switch placeOf(names) {
	case placeFirewall:
		parts = []string{"firewall"}
		r.mount(localPolicy, root, localPolicy)
	case placeSystem:
		if err := r.system(root, slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, "CurrentControlSet") })); err != nil {
			return err
		}
	case placeUser:
		r.s.Users[strings.TrimSuffix(f.Name, path.Ext(f.Name))] = root
		parts = []string{"networks", "agents"}
	case placeSoftware:
		r.mount("SOFTWARE", root, "SOFTWARE")
	default:
		return errNotKnown
	}
	if h.Dirty {
		for _, part := range parts {
			r.s.note(part, "%s was not written to its end, and what is in its logs is not known: %s", f.Name, short(lacks))
		}
	}
	return nil
}

func (r *filesReader) mount(at string, k registry.Key, whole ...string) {
	r.registry = true
	r.machine.Mount(at, k)
	r.s.Whole = append(r.s.Whole, whole...)
}

// system mounts a hive of the system, and as CurrentControlSet the set that its key Select names.
func (r *filesReader) system(root registry.Key, hasCurrent bool) error {
	r.mount("SYSTEM", root, "SYSTEM")
	if hasCurrent {
		return nil
	}
	set := "ControlSet001"
	if k, err := root.Key("Select"); err == nil {
		v, err := registry.Get(k, "Current")
		n, ok := v.Number()
		if err != nil || !ok || n > 999 {
			return fmt.Errorf("hive: %w: it does not say which control set is current", registry.ErrDamaged)
		}
		set = fmt.Sprintf("ControlSet%03d", n)
	}
	k, err := root.Key(set)
	if err != nil {
		return fmt.Errorf("hive: %s: %w", set, err)
	}
	r.machine.Mount(`SYSTEM\CurrentControlSet`, k)
	return nil
}

// text mounts a text of regedit: the keys of the machine, and those of users.
func (r *filesReader) text(name string, b []byte) error {
	t, err := registry.ReadText(b)
	if err != nil {
		return err
	}
	r.again(name, t, b)
	for _, name := range []string{"HKEY_LOCAL_MACHINE", "HKLM"} {
		if k, err := t.Key(name); err == nil {
			r.mount("", k)
			for _, root := range t.Roots() {
				if registry.Below(root, name) {
					r.s.Whole = append(r.s.Whole, strings.TrimPrefix(root[len(name):], `\`))
				}
			}
		}
	}
	for _, name := range []string{"HKEY_CURRENT_USER", "HKCU"} {
		if k, err := t.Key(name); err == nil {
			r.s.Users["current"] = k
		}
	}
	if k, err := t.Key("HKEY_USERS"); err == nil {
		names, err := k.Keys()
		if err != nil {
			return err
		}
		for _, n := range names {
			if c, err := k.Key(n); err == nil {
				r.s.Users[n] = c
			}
		}
	}
	return nil
}

// again notes what makes a text less than what it seems: an end that is none, and keys that another one has too, with other values perhaps.
func (r *filesReader) again(name string, t *registry.Tree, b []byte) {
	var why []string
	if !t.Ended() {
		why = append(why, name+" does not end as regedit ends a text: it may be cut")
	}
	roots := map[string]bool{}
	for _, root := range t.Roots() {
		roots[strings.ToLower(root)] = true
	}
	for _, old := range r.texts {
		if i := slices.IndexFunc(old.roots, func(o string) bool { return roots[strings.ToLower(o)] }); i >= 0 && !bytes.Equal(old.text, b) {
			why = append(why, fmt.Sprintf("%s and %s both have %s: which of them is of the host as it is now is not known", old.name, name, old.roots[i]))
		}
	}
	for _, part := range snapshot.WindowsParts {
		for _, text := range why {
			r.s.note(part, "%s", text)
		}
	}
	r.texts = append(r.texts, readText{name, t.Roots(), b})
	r.s.Texts = append(r.s.Texts, t.Roots()...)
}

// readText is a text of regedit that was read.
type readText struct {
	name  string
	roots []string
	text  []byte
}

// pol mounts the policy of the machine. That of its users, in a directory of that name, has no key of it.
func (r *filesReader) pol(name string, b []byte) error {
	if strings.EqualFold(path.Base(path.Dir(name)), "user") {
		return errNotKnown
	}
	t, err := registry.ReadPol(b)
	if err != nil {
		return err
	}
	r.registry = true
	r.machine.Mount("", t)
	return nil
}
