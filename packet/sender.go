package packet

import "fmt"

// Sender is the process of the host that sends packets, as rules ask for it: the file system ids of who opened the socket, and its cgroup.
type Sender struct {
	UID uint32 `json:"uid"` // file system uid
	GID uint32 `json:"gid"` // file system gid
	// AnyID is a sender whose ids are not known: who may take on others.
	AnyID bool `json:"anyId,omitempty"`
	// Cgroup is the path of its cgroup in the unified hierarchy; empty is not known.
	Cgroup string `json:"cgroup,omitempty"`
}

// String tells the sender as rules do.
func (s *Sender) String() string {
	text := "any uid"
	if !s.AnyID {
		text = fmt.Sprintf("uid %d gid %d", s.UID, s.GID)
	}
	if s.Cgroup != "" {
		text += " cgroup " + s.Cgroup
	}
	return text
}

// IDs is the sender if its ids are known, or nil.
func (s *Sender) IDs() *Sender {
	if s == nil || s.AnyID {
		return nil
	}
	return s
}

// InCgroup is its cgroup, empty if that is not known.
func (s *Sender) InCgroup() string {
	if s == nil {
		return ""
	}
	return s.Cgroup
}
