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

// answers says of a socket of a daemon of root that nobody becomes more by it than they are: the daemon is known, or it is a control socket of a
// runtime, which is looked at as such.
func (g *Graph) answers(f *snapshot.LeverFile) bool {
	for _, a := range rego.Gains().Answers {
		if a.Program == f.By && slices.ContainsFunc(a.Sockets, func(p string) bool { return strings.HasPrefix(realRun(f.Path), p) || f.Path == p }) {
			return true
		}
	}
	return slices.ContainsFunc(g.snap.Runtimes.Sockets, func(k snapshot.ControlSocket) bool { return realRun(k.Path) == realRun(f.Path) })
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
