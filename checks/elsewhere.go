//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of what is read from other network namespaces: any user can make one, and put anything into it.
const (
	maxNamespaces    = 1024
	maxNamespaceData = 8 << 20  // of netlink messages, each
	maxElsewhereData = 64 << 20 // all together
	elsewhereReaders = 4        // at a time

	maxElsewhereText = 128 << 20 // of a snapshot, all together
	maxElsewhereLink = 4096      // links, each
)

// collectElsewhere reads links, routes and packet filters of every other network namespace: they decide who
// reaches what listens there. One that cannot be read is said to be so, and takes no other with it.
func collectElsewhere(ctx context.Context, s *Scan, snap *snapshot.Snapshot) *Outcome {
	out := new(Outcome)
	if !s.Host.Live() {
		out.worse(snapshot.Error, "network namespaces can only be read on a live host")
		return out
	}
	list := s.netns()
	r := &elsewhereReader{s: s, list: list[1:], seen: make([]*snapshot.Elsewhere, len(list)-1), left: maxElsewhereData}
	r.shares = dataShares(list, maxElsewhereData)
	r.all(ctx)
	s.Host.Visit(func(enter func(*os.File) error) {
		for _, i := range r.large { // what others did not use is left for them
			r.one(ctx, enter, i, min(maxNamespaceData, r.left))
		}
	})
	fit(r.seen, dataShares(list, maxElsewhereText), maxElsewhereText)
	for _, e := range r.seen {
		switch {
		case e == nil: // it is gone
			continue
		case e.Status != snapshot.OK:
			out.partial("network namespace %d: %s", e.Netns, e.Reason)
		}
		snap.Namespaces = append(snap.Namespaces, *e)
	}
	for _, gap := range s.mountGaps { // no process is in what is mounted alone
		out.partialIn("mounts", "%s", gap)
	}
	return out
}

// fit leaves out of the snapshot what it cannot hold: of namespaces that have more than their share, those for which the
// others leave no room.
func fit(list []*snapshot.Elsewhere, shares []int, left int) {
	for _, all := range []bool{false, true} {
		for i, e := range list {
			if e == nil || e.Status != snapshot.OK {
				continue
			}
			n, err := textOf(e)
			switch {
			case err == nil && all == (n <= shares[i]): // in the other round
				continue
			case err == nil && n > left:
				err = errors.New("it has more than the snapshot has room for")
			case err == nil:
				left -= n
				continue
			}
			*e = snapshot.Elsewhere{Netns: e.Netns, Status: snapshot.Error, Reason: err.Error()}
		}
	}
}

// textOf is how long a namespace is in a snapshot. It is an error where it cannot be in one: with names that are no text,
// of which two can become the same.
func textOf(e *snapshot.Elsewhere) (int, error) {
	if n := len(e.Network.Links); n > maxElsewhereLink {
		return 0, fmt.Errorf("%d links, more than %d", n, maxElsewhereLink)
	}
	b, err := json.Marshal(e)
	if err != nil {
		return 0, err
	}
	if bytes.Contains(b, []byte(`\ufffd`)) { // in the place of bytes that are not UTF-8
		return 0, errors.New("it has names that are not UTF-8")
	}
	return len(b), nil
}

// dataShares is what may be read from each namespace at first: each owner has the same part, in equal parts for each of
// its namespaces. Our own is first in the list, and has none.
func dataShares(list []foundNetns, all int) []int {
	own, number := list[0].OwnerUser, map[string]int{}
	for i := range list[1:] {
		number[list[i+1].party(own)]++
	}
	shares := make([]int, len(list)-1)
	for i := range shares {
		shares[i] = min(maxNamespaceData, all/len(number)/number[list[i+1].party(own)])
	}
	return shares
}

// errVanished is a namespace that went away before it was looked into, which is no loss.
var errVanished = errors.New("it is gone")

// elsewhereReader reads some namespaces at a time, in the order of the list.
type elsewhereReader struct {
	s      *Scan
	list   []foundNetns
	shares []int
	seen   []*snapshot.Elsewhere

	mu    sync.Mutex
	next  int
	left  int   // of the data
	large []int // those that have more than their share
}

func (r *elsewhereReader) all(ctx context.Context) {
	var wg sync.WaitGroup
	for range elsewhereReaders {
		wg.Go(func() {
			r.s.Host.Visit(func(enter func(*os.File) error) {
				for {
					r.mu.Lock()
					i := r.next
					r.next++
					r.mu.Unlock()
					if i >= len(r.list) {
						return
					}
					r.one(ctx, enter, i, r.shares[i])
				}
			})
		})
	}
	wg.Wait()
	slices.Sort(r.large)
}

// one reads a namespace, of which there may be that much data.
func (r *elsewhereReader) one(ctx context.Context, enter func(*os.File) error, i, share int) {
	e := &snapshot.Elsewhere{Netns: r.list[i].Inode, Status: snapshot.OK}
	err := r.read(ctx, enter, i, share, e)
	switch {
	case errors.Is(err, errVanished):
		return
	case err != nil:
		*e = snapshot.Elsewhere{Netns: e.Netns, Status: snapshot.Error, Reason: err.Error()}
		if denied(err) {
			e.Status = snapshot.Denied
		}
	}
	r.seen[i] = e
}

func (r *elsewhereReader) read(ctx context.Context, enter func(*os.File) error, i, share int, e *snapshot.Elsewhere) (err error) {
	defer func() { // a reader is no collector of its own, whose panic would be caught
		if v := recover(); v != nil {
			err = fmt.Errorf("reading stopped: %v", v)
		}
	}()
	if i >= maxNamespaces {
		return fmt.Errorf("more than %d network namespaces", maxNamespaces)
	}
	if end, limited := ctx.Deadline(); ctx.Err() != nil || limited && time.Until(end) < time.Second {
		return errors.New("no time was left")
	}
	f, err := r.s.enter(&r.list[i])
	switch {
	case gone(err):
		return errVanished
	case err != nil:
		return err
	}
	defer f.Close()
	if err := enter(f); err != nil {
		return err
	}
	left := share
	err = r.s.readElsewhere(ctx, f, e, &left)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = max(0, r.left-(share-max(0, left)))
	if errors.Is(err, errTooLarge) && share < maxNamespaceData && r.seen[i] == nil {
		r.large = append(r.large, i)
	}
	return err
}

// outward says whether packets can come into a namespace: by an interface that is up, and not loopback.
func outward(links []snapshot.Link) bool {
	return slices.ContainsFunc(links, func(l snapshot.Link) bool { return l.Up && !l.Loopback })
}

// readElsewhere reads the namespace f, in which the thread is.
func (s *Scan) readElsewhere(ctx context.Context, f *os.File, e *snapshot.Elsewhere, left *int) error {
	part := new(Outcome)
	r := netReader{s: s, ns: f, own: e.Netns}
	if err := r.read(&e.Network, part); err != nil {
		return err
	}
	if part.status != "" {
		return errors.New(strings.Join(part.reasons, "; "))
	}
	if !outward(e.Network.Links) { // nothing gets in, whatever the rules
		return nil
	}
	rs, err := readRuleset(ctx, s.Host, left)
	switch {
	case errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EINVAL): // the kernel has no nf_tables
	case err != nil:
		return fmt.Errorf("read nftables: %w", err)
	case !rs.Stable:
		return fmt.Errorf("the ruleset changed during each of %d readings", readAttempts)
	default:
		e.NFTables.Ruleset = rs
	}
	e.NFTables.Legacy = map[string]snapshot.Fact{}
	for name, file := range tableNames {
		e.NFTables.Legacy[name] = s.tableNamesFact(file)
	}
	e.NFTables.Queues = s.queues(e.NFTables.Ruleset)
	if rs != nil && len(rs.Tables) > 0 {
		for _, k := range []string{snapshot.LoosePickup, snapshot.Checksums} {
			e.Network.Sysctls[k] = s.fact("/proc/sys/" + k)
		}
	}
	return nil
}
