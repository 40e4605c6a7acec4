//go:build linux && !ringfence_portable

package checks

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/ringfence/ringfence/ruleset"
)

const auditGet = 1000 // AUDIT_GET

// auditEnabled reads struct audit_status: mask, then enabled.
func auditEnabled(c *netlink.Conn) (string, error) {
	if err := c.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return "", err
	}
	_, err := c.Send(netlink.Message{
		Header: netlink.Header{Type: auditGet, Flags: netlink.Request},
	})
	if err != nil {
		return "", fmt.Errorf("audit status: %w", err)
	}
	for range 4 {
		msgs, err := c.Receive()
		if err != nil {
			return "", fmt.Errorf("audit status: %w", err)
		}
		for _, m := range msgs {
			if m.Header.Type == auditGet && len(m.Data) >= 8 {
				return fmt.Sprint(binary.NativeEndian.Uint32(m.Data[4:])), nil
			}
		}
	}
	return "", fmt.Errorf("audit status: %w", ruleset.ErrTruncated)
}
