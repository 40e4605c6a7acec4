//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/ruleset"
)

// readIPSets reads the sets that rules of iptables refer to, and the members of lists of sets. Rules name a set by its
// number.
func (r *nfReader) readIPSets(h *host.Host) ([]ruleset.IPSet, error) {
	wanted := r.rs.IPSetIndexes()
	if len(wanted) == 0 {
		return nil, nil
	}
	conn, err := h.Questions(unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	q := &ipsetReader{conn: conn, left: r.left}
	for _, index := range wanted {
		name, err := q.name(index)
		if err != nil {
			return nil, fmt.Errorf("ipset %d: %w", index, err)
		}
		if err := q.read(name, int(index), 0); err != nil {
			return nil, fmt.Errorf("ipset %s: %w", name, err)
		}
	}
	return q.sets, nil
}

type ipsetReader struct {
	conn *netlink.Conn
	sets []ruleset.IPSet
	left *int
}

// name is the set of a number.
func (q *ipsetReader) name(index uint16) (string, error) {
	msgs, err := q.conn.Execute(wire.NameIPSet(index))
	if err != nil {
		return "", err
	}
	if len(msgs) == 0 {
		return "", wire.ErrTruncated
	}
	return wire.ParseIPSetName(msgs[0].Data)
}

// read lists one set, and those that it is a list of.
func (q *ipsetReader) read(name string, index, depth int) error {
	if depth > 1 || slices.ContainsFunc(q.sets, func(s ruleset.IPSet) bool { return s.Name == name && s.Index == index }) {
		return nil // the kernel has no lists of lists
	}
	set := ruleset.IPSet{Index: index, Name: name}
	if _, err := q.conn.Send(wire.ListIPSet(name)); err != nil {
		return err
	}
	for m, err := range q.conn.ReceiveIter() {
		if err != nil {
			return err
		}
		if q.left != nil {
			if *q.left -= len(m.Data); *q.left < 0 {
				return errTooLarge
			}
		}
		if err := wire.ParseIPSet(&set, m.Data); err != nil {
			return err
		}
	}
	set.Widen()
	q.sets = append(q.sets, set)
	for _, e := range set.Elements {
		if e.Set != "" {
			if err := q.read(e.Set, -1, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
