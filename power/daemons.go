package power

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/rego"
	"github.com/ringfence/ringfence/snapshot"
)

// verbOf is what who gets at a file can do.
func verbOf(f *snapshot.LeverFile) string {
	switch f.Kind {
	case snapshot.LeverSecret:
		return "can read"
	case snapshot.LeverSocket:
		return "can connect to"
	default:
		return "can change"
	}
}

// unfiled says of a socket that it has a name and no file.
func unfiled(f *snapshot.LeverFile) bool {
	return f.Kind == snapshot.LeverSocket && strings.HasPrefix(f.Path, "@")
}

// answers says of a socket of a daemon that nobody becomes more by it than they are: it is a daemon of root that is known, or it is a control
// socket of a runtime, which is looked at as such. What a user runs is a known program as that user has it.
func (g *Graph) answers(f *snapshot.LeverFile) bool {
	for _, a := range rego.Gains().Answers {
		if f.UID == 0 && a.Program == f.By && slices.ContainsFunc(a.Sockets, func(p string) bool { return strings.HasPrefix(realRun(f.Path), p) || f.Path == p }) {
			return true
		}
	}
	return g.controls(f)
}

// controls says of a socket that it is a control socket of a runtime.
func (g *Graph) controls(f *snapshot.LeverFile) bool {
	return slices.ContainsFunc(g.snap.Runtimes.Sockets, func(k snapshot.ControlSocket) bool { return realRun(k.Path) == realRun(f.Path) })
}

// answersRoot says of a socket of a daemon that root becomes no more by it either. Root of a container is root to those that ask the kernel who
// connects (unix(7), SO_PEERCRED), if it is in the user namespace of the host: the first process, the bus and others do what it says.
func (g *Graph) answersRoot(f *snapshot.LeverFile) bool {
	return g.controls(f) || g.answers(f) && slices.ContainsFunc(rego.Gains().AnswersRoot, func(p string) bool { return within(realRun(f.Path), p) })
}

// asRoot are the sockets of the host in a mount by which root of a container speaks to daemons that others do not get at, or that do more for root.
func (g *Graph) asRoot(s *State, source string, e Edge) (list []Edge) {
	if s.UID != 0 || s.OwnUser {
		return nil
	}
	for i := range g.snap.Powers.Files {
		f := &g.snap.Powers.Files[i]
		if f.Kind != snapshot.LeverSocket || unfiled(f) || !within(realRun(f.Path), realRun(source)) || g.answersRoot(f) || f.UID != 0 && !s.has(capDACOverride) {
			continue
		}
		if p := opened(s, f, source); p != nil && !g.answers(f) {
			continue // as everybody
		}
		x := e
		x.Trigger, x.Text = snapshot.TriggerNone, fmt.Sprintf("it connects to %s of the host as root%s", f.Path, uses(f))
		x.Unknown = fmt.Sprintf("what %s does for root, who connects to %s, was not followed", f.By, f.Path)
		list = append(list, g.become(x, f))
	}
	return list
}

// byNames are the daemons of root whose sockets have a name and no file: whoever is in their network speaks to them (unix(7), abstract).
func (g *Graph) byNames(s *State) (list []Edge) {
	if !s.InNet {
		return nil
	}
	for i := range g.snap.Powers.Files {
		f := &g.snap.Powers.Files[i]
		if !unfiled(f) || g.answers(f) {
			continue
		}
		list = append(list, g.become(Edge{
			Kind: BySocket, Object: f.Path, Trigger: f.Trigger, Unknown: f.Unsure, Text: fmt.Sprintf("everybody can connect to %s%s", f.Path, uses(f)), Change: "the socket " + f.Path + " of " + f.By,
		}, f))
	}
	return list
}
