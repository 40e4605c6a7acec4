//go:build linux && !ringfence_portable

package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/mdlayher/netlink"
)

// auditGet is AUDIT_GET (include/uapi/linux/audit.h).
const auditGet = 1000

// GetAudit asks for the status of the audit subsystem.
func GetAudit() netlink.Message {
	return netlink.Message{Header: netlink.Header{Type: auditGet, Flags: netlink.Request}}
}

// ParseAudit reads struct audit_status: whether auditing is on (1), off (0), or on and locked (2). It reports false for another message.
func ParseAudit(m netlink.Message) (enabled uint32, ok bool, err error) {
	if m.Header.Type != auditGet {
		return 0, false, nil
	}
	if len(m.Data) < 8 {
		return 0, true, fmt.Errorf("audit status: %w", ErrTruncated)
	}
	return binary.NativeEndian.Uint32(m.Data[4:]), true, nil // behind the mask
}
