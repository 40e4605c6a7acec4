package checks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of what is read from other network namespaces: any user can make one, and put anything into it.
const (
	maxNamespaces    = 1024
	maxNamespaceData = 8 << 20  // of netlink messages, each
	maxElsewhereData = 64 << 20 // all together
)

// collectElsewhere reads links, routes and packet filters of every other network namespace: they decide who
// reaches what listens there. One that cannot be read is said to be so, and takes no other with it.
func collectElsewhere(ctx context.Context, s *Scan, snap *snapshot.Snapshot) *Outcome {
	out := new(Outcome)
	if !s.Host.Live() {
		out.worse(snapshot.Error, "network namespaces can only be read on a live host")
		return out
	}
	end, limited := ctx.Deadline()
	left := maxElsewhereData
	for i, ns := range s.netns()[1:] {
		e := snapshot.Elsewhere{Netns: ns.Inode, Status: snapshot.OK}
		switch {
		case i >= maxNamespaces:
			e.Status, e.Reason = snapshot.Error, fmt.Sprintf("more than %d network namespaces", maxNamespaces)
		case limited && time.Until(end) < time.Second:
			e.Status, e.Reason = snapshot.Error, "no time was left"
		default:
			f, err := s.enter(ns)
			if gone(err) {
				continue
			}
			if err == nil {
				err = s.readElsewhere(ctx, f, &e, &left)
				f.Close()
			}
			if err != nil {
				e.Status, e.Reason = snapshot.Error, err.Error()
				if denied(err) {
					e.Status = snapshot.Denied
				}
			}
		}
		if e.Status != snapshot.OK {
			out.partial("network namespace %d: %s", ns.Inode, e.Reason)
		}
		snap.Namespaces = append(snap.Namespaces, e)
	}
	return out
}

func (s *Scan) readElsewhere(ctx context.Context, f *os.File, e *snapshot.Elsewhere, left *int) error {
	part := new(Outcome)
	if err := s.readNetwork(f, e.Netns, nil, &e.Network, part); err != nil {
		return err
	}
	if part.status != "" {
		return errors.New(strings.Join(part.reasons, "; "))
	}
	e.NFTables.Legacy = map[string]snapshot.Fact{}
	err := s.Host.InNetns(f, func() error {
		for name, file := range tableNames {
			e.NFTables.Legacy[name] = s.tableNamesFact(file)
		}
		return nil
	})
	if err != nil {
		return err
	}
	budget := min(maxNamespaceData, *left)
	before := budget
	rs, err := readRuleset(ctx, s.Host, f, &budget)
	*left -= before - budget
	switch {
	case errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EINVAL):
		return nil // the kernel has no nf_tables
	case err != nil:
		return fmt.Errorf("read nftables: %w", err)
	case !rs.Stable:
		return fmt.Errorf("the ruleset changed during each of %d readings", readAttempts)
	}
	e.NFTables.Ruleset = rs
	return nil
}
