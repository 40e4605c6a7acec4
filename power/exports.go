package power

import (
	"fmt"

	"github.com/ringfence/ringfence/snapshot"
)

// capNetBindService lets a process ask from the ports of root (capabilities(7)).
const capNetBindService = 10

// byExports are the directories that NFS lets a client write as root: also a set-id program, which the host runs with the powers of root. Who is let in by a
// client's address, and gets there, is not followed: nobody of whom that may be has a no.
func (g *Graph) byExports(s *State) (list []Edge) {
	for _, x := range g.snap.Powers.Exports {
		if s.Offline || x.OwnHost && !s.InNet && !s.Relayed || s.InNet && !x.AnyPort && !s.has(capNetBindService) {
			continue
		}
		list = append(list, Edge{
			Kind: ByNetwork, Object: x.Dir, Trigger: snapshot.TriggerNone, Goal: Root, Change: "no_root_squash of " + x.Dir,
			Text:    fmt.Sprintf("a client of NFS writes %s as root, also set-id programs", x.Dir),
			Unknown: fmt.Sprintf("a client of NFS writes %s as root, also set-id programs, and whether it is one of %s was not followed", x.Dir, x.To),
		})
	}
	return list
}
