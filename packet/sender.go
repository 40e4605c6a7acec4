package packet

import "fmt"

// Sender is the process of the host that sends packets, as rules ask for it: the file system ids of who opened the socket.
type Sender struct {
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
}

// String tells the sender as rules do.
func (s *Sender) String() string { return fmt.Sprintf("uid %d gid %d", s.UID, s.GID) }
