//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// readRules reads the policy rules of one family. It reads the messages itself: the library loses the
// action, so that a rule that drops would be taken for one that looks up.
func (s *Scan) readRules(ns *os.File, family int) ([]snapshot.PolicyRule, error) {
	conn, err := s.Host.Netlink(unix.NETLINK_ROUTE, ns)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	af := map[int]byte{4: unix.AF_INET, 6: unix.AF_INET6}[family]
	if _, err = conn.Send(wire.ListRules(af)); err != nil {
		return nil, fmt.Errorf("list policy rules: %w", err)
	}
	var list []snapshot.PolicyRule
	for m, err := range conn.ReceiveIter() {
		if err != nil {
			return nil, fmt.Errorf("list policy rules: %w", err)
		}
		r, err := wire.ParseRule(m.Data)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}
