//go:build linux && !ringfence_portable

package checks

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// readRules reads the policy rules of one family. It reads the messages itself: the library loses the
// action, so that a rule that drops would be taken for one that looks up.
func (r *netReader) readRules(family int) ([]snapshot.PolicyRule, error) {
	af := map[int]byte{4: unix.AF_INET, 6: unix.AF_INET6}[family]
	list, err := listOf(r, wire.ListRules(af), wire.ParseRule)
	if err != nil {
		return nil, fmt.Errorf("list policy rules: %w", err)
	}
	return list, nil
}
