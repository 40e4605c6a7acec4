//go:build linux && !ringfence_portable

package checks

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/ruleset"
)

// A ruleset is taken for what the host has if nobody changes it for as long as restful. One that is changed all the time is read again restlessReads
// times, one that a program is about to replace until longestReload is over.
const (
	restful       = 200 * time.Millisecond
	restlessReads = 2
	longestReload = 3 * time.Second
)

// reloading is the table that firewalld has while it replaces its rules (firewall/core/nftables.py: set_policy): all that is new is dropped meanwhile. In panic
// mode it stays.
const reloading = "firewalld_policy_drop"

// settledRuleset reads the ruleset of our own network namespace as it is when it rests. Tools replace their rules in several steps: what was read between two
// of them holds for a moment, and then everything is open, or nothing.
func settledRuleset(ctx context.Context, h *host.Host) (*ruleset.Ruleset, error) {
	begin := time.Now()
	rs, err := ReadRuleset(ctx, h)
	for n := 0; err == nil && rs.Stable; n++ {
		select {
		case <-ctx.Done():
			return rs, nil
		case <-time.After(restful):
		}
		between := slices.ContainsFunc(rs.Tables, func(t ruleset.Table) bool { return t.Name == reloading })
		changed := rulesChanged(h, rs.Generation)
		switch {
		case between && time.Since(begin) > longestReload, !between && (!changed || n >= restlessReads):
			return rs, nil
		case changed:
			rs, err = ReadRuleset(ctx, h)
		}
	}
	return rs, err
}

// rulesChanged says that the ruleset of our own network namespace has another number than this one. If it cannot be asked, nothing is seen to change.
func rulesChanged(h *host.Host, generation uint32) bool {
	conn, err := h.Questions(unix.NETLINK_NETFILTER)
	if err != nil {
		return false
	}
	defer conn.Close()
	now, err := (&nfReader{conn: conn}).generation()
	return err == nil && now != generation
}
