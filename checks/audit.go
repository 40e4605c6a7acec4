//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/ringfence/ringfence/host/wire"
)

// auditEnabled asks the audit subsystem whether it is on.
func auditEnabled(c *netlink.Conn) (string, error) {
	if err := c.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return "", err
	}
	if _, err := c.Send(wire.GetAudit()); err != nil {
		return "", fmt.Errorf("audit status: %w", err)
	}
	for range 4 {
		msgs, err := c.Receive()
		if err != nil {
			return "", fmt.Errorf("audit status: %w", err)
		}
		for _, m := range msgs {
			if enabled, ok, err := wire.ParseAudit(m); ok || err != nil {
				return fmt.Sprint(enabled), err
			}
		}
	}
	return "", fmt.Errorf("audit status: %w", wire.ErrTruncated)
}
