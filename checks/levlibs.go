//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of the libraries that are followed: of one program, and objects of all.
const (
	maxLibraries = 512
	maxObjects   = 20_000
)

// libraries reads programs and libraries as the loader does, each once.
type libraries struct {
	read   map[string]objectRead
	cache  host.Cached
	cached bool // the cache was looked at
	done   map[leverKey]bool
}

type objectRead struct {
	host.Object
	err error
}

// object is a program or a library, by its path.
func (l *levers) object(p string) objectRead {
	if known, ok := l.libs.read[p]; ok {
		return known
	}
	if len(l.libs.read) >= maxObjects {
		return objectRead{err: errManyStats}
	}
	o, err := patient(l.s, "programs that root runs", func() (host.Object, error) { return l.s.Host.Object(p) })
	l.libs.read[p] = objectRead{o, err}
	return l.libs.read[p]
}

// loaded is a program or a library that is loaded, and what loaded it.
type loaded struct {
	objectRead
	origin string // its directory
	by     *loaded
}

// loading follows what one program loads.
type loading struct {
	l     *levers
	lever snapshot.LeverFile
	at    runsHere
	// secure: its powers are not those of who starts it, whose variables and directory it does not trust (ld.so(8), secure-execution mode).
	secure bool
	musl   bool
	main   *loaded
	queue  []*loaded
	seen   map[string]bool
	// here: it looks where it is started. unread is why not all is known.
	here   bool
	unread string
}

// Loaders of which it is known where they look.
var (
	glibcLoader = lazily(`^ld(?:-linux[a-z0-9_-]*|64)?\.so\.[0-9]$`)
	muslLoader  = lazily(`^(?:ld-musl-[a-z0-9_-]+\.so\.1|libc\.so)$`)
)

// loads adds the libraries that a program loads, and the directories in which it looks for them. It says whether it looks where it is started, and why
// it is not known what it loads.
func (l *levers) loads(lever snapshot.LeverFile, at runsHere, secure bool) (here bool, unread string) {
	_, real, exists, err := l.w.writers(lever.Path)
	if err != nil || !exists {
		return false, ""
	}
	o := l.object(real)
	switch {
	case errors.Is(o.err, host.ErrNotObject):
		return false, ""
	case o.err != nil:
		return false, o.err.Error()
	case o.Interp == "": // static
		return false, ""
	}
	if lever.Of = lever.Path; lever.By != "" {
		lever.By = " of " + lever.By
	}
	r := &loading{l: l, lever: lever, at: at, secure: secure, main: &loaded{o, path.Dir(real), nil}, seen: map[string]bool{}}
	r.musl = muslLoader.MatchString(path.Base(o.Interp))
	if !r.musl && !glibcLoader.MatchString(path.Base(o.Interp)) {
		return false, "where its loader, " + o.Interp + ", looks for libraries is not known"
	}
	if !path.IsAbs(o.Interp) {
		return true, ""
	}
	r.file(o.Interp)
	for r.queue = []*loaded{r.main}; len(r.queue) > 0; r.queue = r.queue[1:] {
		r.object(r.queue[0])
	}
	return r.here, r.unread
}

// file adds a library.
func (r *loading) file(p string) {
	f := r.lever
	f.Path, f.Kind, f.By = p, snapshot.LeverProgram, f.Of+f.By
	r.l.add(f)
}

// look adds a directory in which a library is looked for.
func (r *loading) look(dir, unsure string) {
	if unsure != "" && r.seen[dir+"/"] {
		return
	}
	r.seen[dir+"/"] = true
	f := r.lever
	f.Path, f.Kind, f.By = dir, snapshot.LeverSearch, "libraries of "+f.Of+f.By
	f.Unsure = cmp.Or(f.Unsure, unsure)
	r.l.add(f)
}

// object goes through what one object asks for.
func (r *loading) object(o *loaded) {
	names := o.Needed
	if !r.secure && !r.musl {
		names = append(slices.Clone(names), o.Audit...)
	}
	for _, n := range names {
		r.needed(n, o)
	}
	for _, d := range r.places(o) { // those that no library comes from yet
		r.look(d.dir, "whether "+r.lever.Of+" looks for a library there was not followed")
	}
}

// needed finds a library as the loader does: by its path, in the places of who asks for it, in the cache, and in the directories of the system.
func (r *loading) needed(name string, by *loaded) {
	if strings.Contains(name, "/") {
		for _, d := range r.expand(name, by) {
			r.found(d.dir, by)
		}
		return
	}
	if r.seen[name] || name == "" {
		return // it is loaded once
	}
	r.seen[name] = true
	for _, d := range r.places(by) {
		r.look(d.dir, d.unsure)
		r.levels(d.dir)
		if p := path.Join(d.dir, name); r.fits(p) {
			r.found(p, by)
			return
		}
	}
	if by.NoDefault {
		return
	}
	if !r.musl {
		if list := slices.DeleteFunc(slices.Clone(r.l.loaderCache()[name]), func(p string) bool { return !r.fits(p) }); len(list) > 0 {
			for _, p := range list {
				r.found(p, by)
			}
			return
		}
	}
	for _, d := range r.system() {
		if p := path.Join(d, name); r.fits(p) {
			r.found(p, by)
			return
		}
	}
	if dir := path.Dir(r.main.Interp); !slices.Contains(r.system(), dir) && !strings.HasPrefix(dir, "/lib") {
		r.unread = "where its loader, " + r.main.Interp + ", looks for " + name + " is not known"
	}
}

// found adds a library and what it asks for itself.
func (r *loading) found(p string, by *loaded) {
	if !path.IsAbs(p) || r.seen[p] {
		return
	}
	r.seen[p] = true
	r.file(p)
	switch o := r.l.object(p); {
	case len(r.seen) >= maxLibraries:
		r.unread = "it loads more libraries than are followed"
	case o.err == nil:
		r.queue = append(r.queue, &loaded{o, path.Dir(p), by})
	case !gone(o.err) && !errors.Is(o.err, host.ErrNotObject):
		r.unread = o.err.Error()
	}
}

// fits says of a path that there is a file that the loader takes for a library, or ends at.
func (r *loading) fits(p string) bool {
	o := r.l.object(p)
	return o.err == nil && o.Class == r.main.Class && o.Machine == r.main.Machine || o.err != nil && !gone(o.err)
}

// lookIn is a directory in which a library is looked for, and why that is not known.
type lookIn struct{ dir, unsure string }

// places are the directories that an object, and those that loaded it, say libraries are in.
func (r *loading) places(o *loaded) (list []lookIn) {
	if !r.musl && o.Path != "" && !o.Inherited {
		return r.split(o)
	}
	for at := o; at != nil; at = at.by {
		if r.musl || at.Inherited {
			list = append(list, r.split(at)...)
		}
	}
	return list
}

func (r *loading) split(o *loaded) (list []lookIn) {
	if o.Path == "" {
		return nil
	}
	for p := range strings.SplitSeq(o.Path, ":") {
		if p != "" || !r.musl {
			list = append(list, r.expand(p, o)...)
		}
	}
	return list
}

// tokens are what stands for something in a path (ld.so(8), dynamic string tokens).
var tokens = lazily(`\$(?:\{(?:ORIGIN|LIB|PLATFORM)\}|(?:ORIGIN|LIB|PLATFORM)\b)`)

// expand is what a path of an object stands for. A program with other powers than who starts it can be started by another name of it: its own directory
// counts only at the beginning, and below those of the system. Of a library it counts as it is.
func (r *loading) expand(p string, o *loaded) (list []lookIn) {
	origin := false
	values := []string{""}
	unsure := ""
	rest := p
	for rest != "" {
		m := tokens.FindStringIndex(rest)
		if m == nil {
			m = []int{len(rest), len(rest)}
		}
		var of []string
		switch strings.Trim(rest[m[0]:m[1]], "${}") {
		case "ORIGIN":
			if r.secure && o == r.main && (r.musl || len(rest) != len(p) || m[0] > 0 || !strings.HasPrefix(rest[m[1]:]+"/", "/")) {
				return nil
			}
			of, origin = []string{o.origin}, true
		case "LIB":
			of = []string{r.lib()}
		case "PLATFORM":
			of, unsure = []string{platformOf(o.Machine), "haswell"}, "which of its libraries the processor makes it load was not looked at"
		default:
			of = []string{""}
		}
		var next []string
		for _, v := range values {
			for _, w := range of {
				next = append(next, v+rest[:m[0]]+w)
			}
		}
		values, rest = next[:min(len(next), maxInDir)], rest[m[1]:]
	}
	for _, v := range values {
		if !path.IsAbs(v) {
			if v = r.relative(v); v == "" {
				continue
			}
		}
		v = path.Clean(v)
		if origin && r.secure && o == r.main && !slices.ContainsFunc(r.system(), func(d string) bool { return v == d || strings.HasPrefix(v, d+"/") }) {
			continue
		}
		list = append(list, lookIn{v, unsure})
	}
	return list
}

// relative is a path below the directory in which a program is started. Whoever starts one with other powers chooses that.
func (r *loading) relative(p string) string {
	if r.secure || r.at.dir == "" {
		r.here = true
		return ""
	}
	return path.Join(r.at.dir, p)
}

// multiarch are the directories of libraries of Debian, by the machine.
var multiarch = map[elf.Machine]string{
	elf.EM_X86_64: "x86_64-linux-gnu", elf.EM_386: "i386-linux-gnu", elf.EM_AARCH64: "aarch64-linux-gnu", elf.EM_ARM: "arm-linux-gnueabihf",
	elf.EM_PPC64: "powerpc64le-linux-gnu", elf.EM_S390: "s390x-linux-gnu", elf.EM_RISCV: "riscv64-linux-gnu",
}

// platformOf is what the kernel calls the machine (getauxval(3), AT_PLATFORM), where it has one name.
func platformOf(m elf.Machine) string {
	switch m {
	case elf.EM_X86_64:
		return "x86_64"
	case elf.EM_AARCH64:
		return "aarch64"
	default:
		return "platform"
	}
}

// lib is what $LIB stands for.
func (r *loading) lib() string {
	if dir := multiarch[r.main.Machine]; dir != "" && r.l.w.part("/usr/lib/"+dir).err == nil {
		return "lib/" + dir
	}
	if r.main.Class == elf.ELFCLASS64 {
		return "lib64"
	}
	return "lib"
}

// system are the directories in which the loader looks whatever is asked for.
func (r *loading) system() []string {
	if r.musl {
		return []string{"/lib", "/usr/local/lib", "/usr/lib"}
	}
	list := []string{"/" + r.lib(), "/usr/" + r.lib()}
	if r.lib() != "lib" {
		list = append(list, "/lib", "/usr/lib")
	}
	return list
}

// levels adds the directories below one in which libraries for some processors are looked for first.
func (r *loading) levels(dir string) {
	if r.musl || r.seen[dir+"/*"] {
		return
	}
	r.seen[dir+"/*"] = true
	for _, pattern := range []string{"glibc-hwcaps/*", "tls", "haswell", "x86_64"} {
		for _, d := range r.l.glob(path.Join(dir, pattern)) {
			unsure := "whether the processor makes it look there was not looked at"
			if path.Base(d) == "x86-64-v2" {
				unsure = ""
			}
			r.look(d, unsure)
		}
	}
}

// loaderCache is the cache of the loader, if root alone decides of it.
func (l *levers) loaderCache() host.Cached {
	if l.libs.cached {
		return l.libs.cache
	}
	l.libs.cached = true
	const file = "/etc/ld.so.cache"
	a, _, err := l.s.Host.Author(file)
	if err != nil || !a.Root() {
		return nil // whoever decides of it is listed
	}
	b, err := l.s.Host.ReadFile(file)
	if err == nil {
		l.libs.cache, err = host.ParseCache(b)
	}
	if err != nil {
		l.out.partialIn("files", "%s: %v", file, err)
	}
	return l.libs.cache
}

// runsProgram adds what a program loads that somebody runs.
func (l *levers) runsProgram(lever snapshot.LeverFile, at runsHere) {
	k := leverKeyOf(lever)
	if l.libs.done[k] {
		return
	}
	l.libs.done[k] = true
	here, unread := l.loads(lever, at, false)
	if here {
		unread = "it looks for libraries in the directory in which it is started, which was not followed"
	}
	if unread != "" {
		lever.Kind, lever.Of, lever.Unsure, lever.Unread = snapshot.LeverSearch, lever.Path, "", fmt.Sprintf("what %s loads is not known: %s", lever.Path, unread)
		if len(l.list) < maxLevers {
			l.list = append(l.list, lever)
		}
	}
}

// gainLoads adds what a program loads that has other powers than who starts it, and notes what is not known.
func (l *levers) gainLoads(g *snapshot.GainProgram) {
	lever := snapshot.LeverFile{Path: g.Path, Trigger: snapshot.TriggerOperator} // of others who start it
	if g.SetUID != nil {
		lever.UID = *g.SetUID
	}
	g.LoadsHere, g.LoadsUnread = l.loads(lever, runsHere{}, true)
}
