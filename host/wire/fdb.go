//go:build linux && !ringfence_portable

package wire

import (
	"encoding/binary"
	"fmt"
	"net"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Entry is one of the table of a bridge: behind which port, or for the bridge itself, an address of the link layer is.
type Entry struct {
	Link, Bridge int // of entries of other tables Bridge is 0
	MAC          net.HardwareAddr
	VLAN         int
	// Local, Static and Sticky say that frames for the address are for the host, that nobody has to be heard there for the entry to stay, and that who is
	// heard elsewhere does not move it.
	Local, Static, Sticky bool
}

// neighbourHeader is the size of struct ndmsg, ntfSticky a flag of it (NTF_STICKY, include/uapi/linux/neighbour.h).
const (
	neighbourHeader = 12
	ntfSticky       = 1 << 6
)

// ListEntries asks for the tables of all bridges.
func ListEntries() netlink.Message {
	data := make([]byte, neighbourHeader)
	data[0] = unix.AF_BRIDGE
	return netlink.Message{Header: netlink.Header{Type: unix.RTM_GETNEIGH, Flags: netlink.Request | netlink.Dump}, Data: data}
}

// ParseEntry reads a struct ndmsg and its attributes.
func ParseEntry(b []byte) (Entry, error) {
	var e Entry
	if len(b) < neighbourHeader {
		return e, fmt.Errorf("entry of a bridge: %w", ErrTruncated)
	}
	state, flags := binary.NativeEndian.Uint16(b[8:]), b[10]
	e.Link = int(int32(binary.NativeEndian.Uint32(b[4:])))
	e.Local, e.Static, e.Sticky = state&unix.NUD_PERMANENT != 0, state&unix.NUD_NOARP != 0, flags&ntfSticky != 0
	err := fields(b[neighbourHeader:], sizes{unix.NDA_LLADDR: 6, unix.NDA_VLAN: 2, unix.NDA_MASTER: 4}, func(kind uint16, d []byte) error {
		switch kind {
		case unix.NDA_LLADDR:
			e.MAC = append(net.HardwareAddr(nil), d[:6]...)
		case unix.NDA_VLAN:
			e.VLAN = int(binary.NativeEndian.Uint16(d))
		default:
			e.Bridge = int(int32(binary.NativeEndian.Uint32(d)))
		}
		return nil
	})
	if err != nil {
		return e, fmt.Errorf("entry of a bridge: %w", err)
	}
	return e, nil
}
