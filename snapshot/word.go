package snapshot

import (
	"fmt"
	"strings"
)

// Word says whose word a fact is: who could have made it say something else. The zero Word is nobody's: it is not
// known who vouches for the fact.
//
// One rule holds for all of them. The kernel's and root's word may clear a finding, name a unit, lead a fix and speak for
// somebody else. What a uid writes speaks for processes of that uid, and what is inside a container for that
// container: it can add a finding about them, and describe them, and nothing else.
type Word struct {
	By        Party  `json:"by"`                  // kernel, root, uid, container or others; empty is nobody
	UID       int    `json:"uid,omitempty"`       // of ByUID
	Container string `json:"container,omitempty"` // id, of ByContainer
}

// Party is who a Word can be of. The zero Party is nobody.
type Party string

// Who a Word can be of.
const (
	ByKernel    Party = "kernel"    // sock_diag, netlink, /proc/PID/status, cgroup membership
	ByRoot      Party = "root"      // a file of root in directories that root alone writes, up to /
	ByUID       Party = "uid"       // a file that one uid can write or replace
	ByContainer Party = "container" // a file inside the root of a container
	ByOthers    Party = "others"    // a file that several can write
)

// WordOf is the word of a uid of the host; uid 0 is root.
func WordOf(uid int) Word {
	if uid == 0 {
		return Word{By: ByRoot}
	}
	return Word{By: ByUID, UID: uid}
}

// Trusted says whether the word counts for everybody: it is the kernel's or root's.
func (w Word) Trusted() bool { return w.By == ByKernel || w.By == ByRoot }

// SpeaksFor says whether the word counts for a process. What is in a container of root's is never described by a uid of the
// host, nor a process of the host by a container; what is in a uid's own container is the uid's, whatever its ids are.
func (w Word) SpeaksFor(p *Process) bool {
	switch w.By {
	case ByKernel, ByRoot:
		return true
	case ByUID:
		return p.ContainerWord == w || p.Container == "" && p.UID == w.UID
	case ByContainer:
		return p.Container != "" && p.Container == w.Container
	default: // of several, or of nobody
		return false
	}
}

// String is the word for people.
func (w Word) String() string {
	switch w.By {
	case ByUID:
		return fmt.Sprintf("uid %d", w.UID)
	case ByContainer:
		return "container " + w.Container
	case "":
		return "nobody"
	default:
		return string(w.By)
	}
}

// ContainerName is what people call a container of that id: its name, or if it has none the first twelve digits of its id. What a user calls its own is
// never taken for one of root's.
func ContainerName(id, name string) string {
	owner, short := "", id
	if rest, ok := strings.CutPrefix(id, "uid"); ok {
		if uid, own, ok := strings.Cut(rest, ":"); ok {
			owner, short = " of uid "+uid, own
		}
	}
	if name == "" {
		name = short[:min(len(short), 12)]
	}
	return name + owner
}
