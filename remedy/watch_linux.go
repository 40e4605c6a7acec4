//go:build linux && !ringfence_portable

package remedy

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// watching is how long connections through the host are tracked before anything of them is dropped: those with a packet
// each way in that time are known.
const watching = 300 * time.Millisecond

// clientPorts are where the ports of who opens a connection begin, on Linux and most others (RFC 6335, section 6: 49152).
const clientPorts = 32768

// watch has the connections through a host that tracked none so far tracked for a moment, and has of each the right side
// count as the one that opened it. Nothing is dropped by it. It returns the generation of the ruleset afterwards.
func (p *Proof) watch(generation uint32, id string) (uint32, error) {
	if !p.plan.uses(chainForward) || !forwardsUntracked(p.before, true) && !forwardsUntracked(p.before, false) {
		return generation, nil
	}
	if err := commitMarked(generation, map[string]string{watchTable: mark(id, MarkTrial)}, tracking); err != nil {
		return 0, fmt.Errorf("have connections tracked: %w", err)
	}
	time.Sleep(watching)
	// Where it fails some connections stop that could have gone on: that is no reason to leave everything open.
	for _, v4 := range []bool{true, false} {
		if forwardsUntracked(p.before, v4) {
			_ = turnRound(v4, &p.before.Network)
		}
	}
	if generation++; generation == 0 { // as the kernel counts (nf_tables_commit)
		generation++
	}
	return generation, nil
}

// tracking is a table that has every connection through the host tracked, and does nothing else.
func tracking(conn *nftables.Conn) error {
	if err := dropTables(watchTable)(conn); err != nil {
		return err
	}
	table := conn.AddTable(&nftables.Table{Name: watchTable, Family: nftables.TableFamilyINet})
	chain := conn.AddChain(&nftables.Chain{
		Name: chainForward, Table: table, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter,
	})
	exprs, err := encoded(append(state(ruleset.CtNew), counter()), nil)
	conn.AddRule(&nftables.Rule{
		Table: table, Chain: chain, Exprs: exprs, UserData: userdata.AppendString(nil, userdata.TypeComment, commentWatch),
	})
	return err
}

// turnRound finds the connections that somebody else has with somebody else through the host, that were met half way, and
// of which the side that answers was taken for the one that opened it: what is sent from a service's port to a client's.
func turnRound(v4 bool, own *snapshot.Network) error {
	conn, err := host.Local().Netlink(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer conn.Close()
	family := byte(unix.AF_INET6)
	if v4 {
		family = unix.AF_INET
	}
	list, err := conn.Execute(wire.ListConnections(family, 0))
	if err != nil {
		return fmt.Errorf("list connections: %w", err)
	}
	for _, m := range list {
		c, err := wire.ParseConnection(m.Data)
		if err != nil || c.Proto != unix.IPPROTO_TCP && c.Proto != unix.IPPROTO_UDP || c.Status&(wire.SeenReply|wire.Translated) != wire.SeenReply ||
			c.From.Port() >= clientPorts || c.To.Port() < clientPorts || own.Has(c.From.Addr()) || own.Has(c.To.Addr()) {
			continue
		}
		for range 3 { // a packet in between makes it known again as it was
			_, err = conn.Execute(wire.DeleteConnection(c.Proto, c.From, c.To))
			if err == nil || errors.Is(err, unix.ENOENT) {
				_, err = conn.Execute(wire.KnowConnection(c.Proto, c.To, c.From))
			}
			if !errors.Is(err, unix.EEXIST) {
				break
			}
		}
		if err != nil {
			return fmt.Errorf("turn the connection of %s and %s round: %w", c.From, c.To, err)
		}
	}
	return nil
}
