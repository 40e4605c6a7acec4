//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of the time that is spent on what a party put in the way of a look: mazes of links, mounts by the thousand, file
// systems that answer late.
const (
	lookTime     = 2 * time.Second
	rootLookTime = 10 * time.Second
	looksTime    = 4 * time.Second       // on all but root; after that each has no more than
	leastLook    = 50 * time.Millisecond // this
)

// errSpent is of what is not looked at any more.
var errSpent = errors.New("to look at it takes longer than it is given")

// purse is the time that was spent on each party, for one purpose. The zero purse is full.
type purse struct {
	mu    sync.Mutex
	spent map[string]time.Duration
	all   time.Duration // on all but root
}

func (b *purse) left(whose string) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case whose == uidParty(0):
		return rootLookTime - b.spent[whose]
	case b.all >= looksTime:
		return leastLook - b.spent[whose]
	}
	return lookTime - b.spent[whose]
}

func (b *purse) spend(whose string, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spent == nil {
		b.spent = map[string]time.Duration{}
	}
	b.spent[whose] += d
	if whose != uidParty(0) {
		b.all += d
	}
}

// spending looks at something of a party in the time that it has left, and takes that off.
func spending[T any](b *purse, whose string, look func(limit time.Duration) (T, error)) (T, error) {
	left := b.left(whose)
	if left <= 0 {
		var none T
		return none, errSpent
	}
	start := time.Now()
	v, err := look(min(left, host.TreeTimeout))
	b.spend(whose, time.Since(start))
	return v, err
}

// owners of mount namespaces, by inode.
type mountOwners struct {
	mu   sync.Mutex
	list map[uint64]string
}

// lookedAt is the party that what is mounted for a process, and where its program is, is put down to: its container, where
// root says that it is in one; else whoever made the user namespace that owns its mount namespace; else its uid, those of
// subuid(5) as one.
func (s *Scan) lookedAt(p *process) string {
	if p.Container != "" && p.ContainerWord.Trusted() {
		return fmt.Sprintf("container %.24s", p.Container)
	}
	if o := s.mountOwner(p); o != "" {
		return o
	}
	return s.party(p)
}

// mountOwner is the uid that a mount namespace belongs to, "" if that is ours.
func (s *Scan) mountOwner(p *process) string {
	if p.NS.Mnt == 0 || !s.Host.Live() {
		return ""
	}
	m := &s.mountOwners
	m.mu.Lock()
	defer m.mu.Unlock()
	if o, ok := m.list[p.NS.Mnt]; ok {
		return o
	}
	file, err := s.Host.OpenNS(fmt.Sprintf("/proc/%d/ns/mnt", p.PID), p.NS.Mnt)
	if err != nil {
		return ""
	}
	defer file.Close()
	o, err := host.OwnerOf(file)
	if err != nil {
		return ""
	}
	if m.list == nil {
		m.list = map[uint64]string{}
	}
	m.list[p.NS.Mnt] = ""
	if o.UID != nil {
		m.list[p.NS.Mnt] = uidParty(*o.UID)
	}
	return m.list[p.NS.Mnt]
}

// maxProgramDepth bounds the directories above a program whose word is asked for.
const maxProgramDepth = 64

// hostWord is the word of a program where the host itself has that file at that path. The kernel's path of it has no links:
// one that has is another's choice, and not followed.
func (s *Scan) hostWord(path string, st host.Stat) (snapshot.Word, error) {
	at, err := s.Host.StatPlain(path)
	if err != nil || at.Dev != st.Dev || at.Ino != st.Ino {
		return snapshot.Word{}, nil //nolint:nilerr // what is not to be found at the path has no word
	}
	author, at, err := s.Host.Author(path)
	if err != nil || at.Dev != st.Dev || at.Ino != st.Ino {
		return snapshot.Word{}, err
	}
	return wordOf(author), nil
}
