package power

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// overFiles are the capabilities by which root of a container gets at every file that is mounted in it, whoever's it is (capabilities(7)).
const overFiles = 1<<0 | 1<<1 | 1<<3 | 1<<capSetuid

// reading are those by which it reads every file.
const reading = overFiles | 1<<capDACReadSearch

// onlyRoot is why it is not known that root of a container gets at what is somebody else's.
const onlyRoot = "whether root without capabilities over files gets there was not looked at"

// throughMount says whether a state of a container decides of a file of the host that is in a mount, or reads it, and why that is not known: root does by what
// is its own or by its capabilities, everybody else does of what they are run as.
func throughMount(s *State, f *snapshot.LeverFile, source string) (ok bool, unsure string) {
	caps := uint64(overFiles)
	if f.Kind == snapshot.LeverSecret {
		caps = reading
	}
	switch {
	case s.UID != 0:
		return f.UID == s.UID && opened(s, f, source) != nil, ""
	case len(f.Permits) == 0, s.Caps&caps != 0:
		return true, ""
	}
	return true, onlyRoot
}

// byAlone are files of the host in a mount of which root alone decides, or the user as whom they are run: a container that runs as one of these does too.
func (g *Graph) byAlone(s *State, m snapshot.ContainerMount, e Edge) (list []Edge) {
	source := path.Clean(m.Source)
	for i := range g.snap.Powers.Alone {
		f := &g.snap.Powers.Alone[i]
		secret := f.Kind == snapshot.LeverSecret
		if !within(f.Path, source) || !m.RW && !secret {
			continue
		}
		ok, unsure := throughMount(s, f, source)
		if !ok {
			continue
		}
		x := e
		x.Trigger, x.Unknown = f.Trigger, cmp.Or(f.Unsure, unsure)
		x.Text = fmt.Sprintf("as uid %d it %s %s of the host at %s%s", s.UID, verbOf(f), f.Path, m.Dest, uses(f))
		x = g.become(x, f)
		list = append(append(append(list, x), byCluster(x, f)...), g.given(x, f)...)
	}
	return list
}

// homeFiles are what is read and run in a home when its owner logs in; homeSettings are those of programs of theirs, which may run others by them.
var (
	homeFiles = strings.Fields(".bash_login .bash_logout .bash_profile .bashrc .config/autostart .config/environment.d .config/fish .config/systemd .local/bin .local/share/systemd " +
		".pam_environment .profile .ssh .zlogin .zprofile .zshenv .zshrc bin")
	homeSettings = strings.Fields(".aws .claude .claude.json .codex .config .copilot .cursor .docker .gemini .gitconfig .gnupg .kube .local .npmrc .openclaw .tmux.conf .vimrc .vscode")
)

// inHome says of a mount that it has something of a home that somebody reads who logs in there, and whether that is known to be run.
func inHome(source, home string) (has, runs bool) {
	if within(home, source) {
		return true, true
	}
	has = slices.ContainsFunc(homeSettings, func(n string) bool { return within(source, path.Join(home, n)) })
	runs = slices.ContainsFunc(homeFiles, func(n string) bool {
		p := path.Join(home, n)
		return within(p, source) && source != home || within(source, p)
	})
	return has || runs, runs
}

// byHomes are the homes of the host in a mount: who writes what is read at a login is the one who logs in.
func (g *Graph) byHomes(s *State, m snapshot.ContainerMount, e Edge) (list []Edge) {
	if !m.RW {
		return nil
	}
	source := path.Clean(m.Source)
	for i := range g.snap.Powers.Accounts {
		a := &g.snap.Powers.Accounts[i]
		if !a.Login || !path.IsAbs(a.Home) || a.Home == "/" || s.UID != 0 && s.UID != a.UID {
			continue
		}
		has, runs := inHome(source, path.Clean(a.Home))
		if !has {
			continue
		}
		x := e
		x.Trigger, x.Text = snapshot.TriggerLogin, fmt.Sprintf("as uid %d it writes what %s reads at a login, at %s", s.UID, a.Name, m.Dest)
		switch {
		case !runs:
			x.Unknown = "what programs of " + a.Name + " do by " + m.Source + " was not followed"
		case s.UID != a.UID && s.Caps&overFiles == 0:
			x.Unknown = onlyRoot
		}
		if x.To = g.account(a.UID); a.UID == 0 {
			x.To, x.Goal = nil, Root
		}
		list = append(list, x)
	}
	return list
}

// plainSettings are files of /etc by which no program of root runs anything.
var plainSettings = strings.Fields("/etc/hosts /etc/resolv.conf /etc/hostname /etc/localtime /etc/timezone /etc/machine-id /etc/motd /etc/issue /etc/ssl/certs /etc/ca-certificates")

// bySettings are settings of the host in a mount that are not known to decide what root does, nor not to, and files of the kernel.
func bySettings(s *State, m snapshot.ContainerMount, e Edge) []Edge {
	source := path.Clean(m.Source)
	if s.UID != 0 || !m.RW || decides(source) {
		return nil
	}
	switch {
	case within(source, "/etc") && !slices.ContainsFunc(plainSettings, func(p string) bool { return within(source, p) }):
		e.Unknown = "what root's programs do by what is in " + m.Source + " was not followed"
	case within(source, "/sys") && !within(source, "/sys/fs/cgroup"):
		e.Unknown = "what the kernel does by what is written in " + m.Source + " was not followed"
	default:
		return nil
	}
	e.Goal, e.Text = Root, fmt.Sprintf("it writes %s of the host at %s as root", m.Source, m.Dest)
	return []Edge{e}
}

// byKernelFiles are settings of the kernel that root of a container writes where its runtime does not keep them read-only: the kernel runs the program of
// core_pattern as root of the host (core(5)). It asks for the uid alone (proc_sys(5)).
func (g *Graph) byKernelFiles(s *State, c *snapshot.Container) (list []Edge) {
	if s.UID != 0 || c.KernelFiles == nil {
		return nil
	}
	for _, f := range c.KernelFiles.Writable {
		if f.FS != "proc" || path.Base(f.Path) != "sys" {
			continue
		}
		e := Edge{
			Kind: ByMount, Object: f.Path, Trigger: snapshot.TriggerNone, Goal: Root, Change: "the settings of the kernel in the container",
			Text: "it writes settings of the kernel at " + f.Path + " as root: also the program that the kernel runs for a crash",
		}
		if g.labelled(s) {
			e.Unknown = "which settings of the kernel the profile of its container lets it write was not followed"
		}
		list = append(list, e)
	}
	return list
}

// alone looks at what of the host is in a mount of which root decides alone, or the user of a state, or whoever logs in.
func (k *checker) alone(st *State, m snapshot.ContainerMount) error {
	source := path.Clean(m.Source)
	inside := func(p string) bool { return source == "/" || p == source || strings.HasPrefix(p, source+"/") }
	for i := range k.s.Powers.Alone {
		f := &k.s.Powers.Alone[i]
		secret := f.Kind == snapshot.LeverSecret
		if !inside(f.Path) || st.UID != 0 && st.UID != f.UID || secret && k.goal != Secret && f.By != snapshot.ClusterCredentials || !secret && !m.RW {
			continue
		}
		if secret && st.UID != 0 || st.UID != 0 && !slices.ContainsFunc(f.Permits, func(p snapshot.Permit) bool { return holds(st, p) && inside(p.At) && !shut(st, f, p, source) }) {
			continue
		}
		if f.UID == 0 && (f.Kind != snapshot.LeverFilter || k.goal == Filter) || f.UID != 0 && !k.account(f.UID) || f.UID != 0 && f.Gives != nil && !k.closed[k.base.withGiven(f).key()] {
			return fmt.Errorf("uid %d of a container decides of %s in %s", st.UID, f.Path, m.Source)
		}
	}
	if !m.RW {
		return nil
	}
	for _, a := range k.s.Powers.Accounts {
		if has, _ := inHome(source, path.Clean("/"+a.Home)); has && a.Login && path.Join("/", a.Home) != "/" && (st.UID == 0 || st.UID == a.UID) && (a.UID == 0 || !k.account(a.UID)) {
			return fmt.Errorf("the home of %s is in the container, by %s", a.Name, m.Source)
		}
	}
	if len(bySettings(st, m, Edge{})) > 0 {
		return fmt.Errorf("%s of the host is in the container", m.Source)
	}
	return nil
}

// own looks at what units run of which a state itself decides.
func (k *checker) own(st *State) error {
	for i := range k.s.Powers.Alone {
		f := &k.s.Powers.Alone[i]
		if f.Gives == nil || f.UID != st.UID || k.closed[k.base.withGiven(f).key()] {
			continue
		}
		if slices.ContainsFunc(f.Permits, func(p snapshot.Permit) bool {
			return holds(st, p) && k.getsBy(st, p.At, true, false, shut(st, f, p, "/"))
		}) {
			return fmt.Errorf("uid %d decides of %s, to which %s gives more", st.UID, f.Path, f.By)
		}
	}
	return nil
}
