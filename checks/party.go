//go:build linux && !ringfence_portable

package checks

import (
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/snapshot"
)

// The uids of nobody's account, in the blocks in which useradd(8) gives them to users (SUB_UID_MIN and SUB_UID_COUNT).
const (
	firstSubUID = 100_000
	subUIDs     = 65_536
)

// subuids is a range of /etc/subuid (subuid(5)): uids that an account may give to processes of its user namespaces.
type subuids struct {
	first, count, owner int
}

// readSubuids reads the ranges. Whoever is named there without an account is left out.
func (s *Scan) readSubuids(uids map[string][]int) []subuids {
	b, err := s.Host.ReadFile("/etc/subuid")
	if err != nil {
		return nil
	}
	var list []subuids
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) != 3 {
			continue
		}
		r := subuids{first: atoi(f[1]), count: atoi(f[2]), owner: atoiOr(f[0], -1)}
		if owners := uids[f[0]]; len(owners) > 0 {
			r.owner = owners[0]
		}
		if r.first > 0 && r.count > 0 && r.owner >= 0 {
			list = append(list, r)
		}
	}
	return list
}

// account is the uid that stands for a uid: that of the account whose subordinate uid it is, or the first one of its block
// of them. An account is its own.
func (s *Scan) account(uid int) int {
	a := s.readAccounts()
	if uid <= 0 || a.known[uid] {
		return uid
	}
	for _, r := range a.subuids {
		if uid >= r.first && uid-r.first < r.count {
			return r.owner
		}
	}
	if uid < firstSubUID {
		return uid
	}
	return uid - (uid-firstSubUID)%subUIDs
}

// party names whoever makes a process and its like, and has one share of what all of these together may cost: its container,
// whatever uids that has; else its account. What a uid calls a container of its own is that uid's, of which it can have any number,
// and what root has in other pid or user namespaces takes nothing of the host's own.
func (s *Scan) party(p *process) string {
	switch {
	case p.ContainerWord.By == snapshot.ByUID:
		return uidParty(s.account(p.ContainerWord.UID))
	case p.Container != "":
		return "container " + p.Container
	case p.setID:
		return "programs that change their ids" // whoever starts one decides when
	case p.UID == 0 && s.separate(p):
		return "root in other namespaces"
	}
	return uidParty(s.account(p.UID))
}

// ofHost says whether a party is the host itself: what runs as root, and apart from nothing.
func ofHost(party string) bool { return party == uidParty(0) }

// shares counts what parties have used up of the shares that all of them have alike.
type shares struct {
	each int
	used map[string]int
	over map[string]bool
}

func newShares(each int) *shares {
	return &shares{each: each, used: map[string]int{}, over: map[string]bool{}}
}

// left is what a party may still have.
func (c *shares) left(party string) int { return max(0, c.each-c.used[party]) }

// take gives a party at most n of its share, and notes if that is less.
func (c *shares) take(party string, n int) int {
	got := min(n, c.left(party))
	c.used[party] += got
	if got < n {
		c.over[party] = true
	}
	return got
}

// hostFirst puts the processes of the host itself before those of others, and changes nothing else in the order.
func (s *Scan) hostFirst(procs []*process) []*process {
	list := make([]*process, 0, len(procs))
	var others []*process
	for _, p := range procs {
		if ofHost(s.party(p)) {
			list = append(list, p)
		} else {
			others = append(others, p)
		}
	}
	return append(list, others...)
}

// inTurns takes of each party in turn, the host first: whoever has more of them comes late with them, and keeps nobody
// else from coming.
func (s *Scan) inTurns(procs []*process) []*process {
	queues, names := map[string][]*process{}, []string{}
	for _, p := range procs {
		name := s.party(p)
		if queues[name] == nil {
			names = append(names, name)
		}
		queues[name] = append(queues[name], p)
	}
	list := make([]*process, 0, len(procs))
	list = append(list, queues[uidParty(0)]...)
	delete(queues, uidParty(0))
	for n := 0; len(list) < len(procs); n++ {
		for _, name := range names {
			if q := queues[name]; n < len(q) {
				list = append(list, q[n])
			}
		}
	}
	return list
}

// clock measures what each party but the host itself takes of a collector's time, in seconds of the wall.
type clock struct {
	start time.Time
	each  time.Duration
	spent map[string]time.Duration
	over  map[string]bool
}

// While a collector has taken no longer than hurry, nobody is left out: the machine may be slow. Then partyTime is what one party
// may have taken of its time.
const (
	hurry     = 4 * time.Second
	partyTime = 2 * time.Second
)

func newClock() *clock {
	return &clock{start: time.Now(), each: partyTime, spent: map[string]time.Duration{}, over: map[string]bool{}}
}

// has says whether a party has time left, and notes if it has none.
func (c *clock) has(party string) bool {
	if ofHost(party) || c.spent[party] < c.each || time.Since(c.start) < hurry {
		return true
	}
	c.over[party] = true
	return false
}

// charge counts the time since then.
func (c *clock) charge(party string, since time.Time) { c.spent[party] += time.Since(since) }

// slowest names who took most, for a collector that got to no end.
func (c *clock) slowest() string {
	most := "nobody"
	for _, party := range sortedKeys(c.spent) {
		if c.spent[party] > c.spent[most] {
			most = party
		}
	}
	return most
}

// turn lets the processes of a party be read as long as it has time: one line of /proc/PID/status can take milliseconds.
type turn struct {
	*clock
	s *Scan
}

func (s *Scan) newTurn() *turn { return &turn{newClock(), s} }

// of says whether a process is read. Whose it is is looked at before only when the reading takes long.
func (t *turn) of(pid int) bool {
	if time.Since(t.start) < hurry {
		return true
	}
	dir := "/proc/" + strconv.Itoa(pid)
	st, err := t.s.Host.Stat(dir)
	if err != nil {
		return true // it is gone
	}
	p := &process{Process: snapshot.Process{PID: pid, UID: st.UID}} // of the directory itself it is the uid, dumpable or not (proc_pid(5))
	if cg, err := t.s.Host.ReadFile(dir + "/cgroup"); err == nil {
		id := t.s.groupsOf.identify(t.s, cg)
		p.Container, p.ContainerWord = containerID(id.container, id.word), id.word
	}
	return t.has(t.s.party(p))
}

// read reads a process if its party has time for that.
func (t *turn) read(pid int) []*process {
	if !t.of(pid) {
		return nil
	}
	start := time.Now()
	list := t.s.readProcess(pid)
	if len(list) > 0 {
		t.charge(t.s.party(list[0]), start)
	}
	return list
}

// gap adds whose processes were not all read to why the list is not whole.
func (t *turn) gap(other string) string {
	if len(t.over) == 0 {
		return other
	}
	late := "there was no time for all processes of " + strings.Join(sortedKeys(t.over), ", ")
	if other == "" {
		return late
	}
	return other + "; " + late
}
