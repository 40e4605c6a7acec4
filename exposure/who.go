package exposure

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// Who names processes of the host, each word one thing that has to hold of them. Without a word nobody is named.
type Who struct {
	UID    *int   `json:"uid,omitempty"`
	PID    *int   `json:"pid,omitempty"`
	Unit   string `json:"unit,omitempty"`   // of systemd, also of a user's own
	Cgroup string `json:"cgroup,omitempty"` // the path of the cgroup that they are in, or below
}

// Named says whether anybody is.
func (w *Who) Named() bool { return w.UID != nil || w.PID != nil || w.Unit != "" || w.Cgroup != "" }

// is says whether a process is one of them.
func (w *Who) is(p *snapshot.Process) bool {
	below := strings.TrimSuffix(w.Cgroup, "/")
	in := func(path string) bool { return path == below || strings.HasPrefix(path, below+"/") }
	return (w.UID == nil || p.UID == *w.UID) && (w.PID == nil || p.PID == *w.PID) && (w.Unit == "" || p.Unit == w.Unit || p.UserUnit == w.Unit) &&
		(w.Cgroup == "" || in(p.Cgroup) || in(p.Unified))
}

// anyIDs adds senders whose ids are not known to each cgroup that is told; anybody says that one is not.
func anyIDs(list []packet.Sender) (out []packet.Sender, anybody bool) {
	out = slices.Clone(list)
	for _, by := range list {
		by = packet.Sender{AnyID: true, Cgroup: by.Cgroup}
		switch {
		case by.Cgroup == "":
			return list, true
		case !slices.Contains(out, by):
			out = append(out, by)
		}
	}
	return out, len(list) == 0
}

// senders are the ids by which those of a zone send, or of the whole host, and whether they can take on others: whoever is named by his id means
// that. An id of which no process runs has a group that is not known; that is no matter if no rule asks for groups.
func (w *Who) senders(s *snapshot.Snapshot, m *zones.Map, zone string) (list []packet.Sender, anybody bool, err error) {
	list, anybody = m.SendersOf(func(p *snapshot.Process) bool {
		of, _ := m.Process(p)
		return w.is(p) && (zone == zones.Host || of == zone)
	})
	if anybody && w.UID == nil { // whatever ids it takes on, it stays where it is
		list, anybody = anyIDs(list)
	}
	alone := w.UID != nil && w.PID == nil && w.Unit == "" && w.Cgroup == ""
	switch {
	case len(list) > 0:
		return list, anybody && w.UID == nil, nil
	case anybody:
		return nil, true, nil
	case alone && zone == zones.Host && !s.NFTables.Ruleset.AsksForGroups():
		return []packet.Sender{{UID: uint32(*w.UID), GID: uint32(*w.UID)}}, false, nil
	case alone && zone == zones.Host:
		return nil, false, fmt.Errorf("no process of user %d runs in the host's network namespace, and rules ask for its group", *w.UID)
	}
	return nil, false, errors.New("no process in the host's network namespace is meant by --from, --uid, --pid, --unit and --cgroup together")
}
