//go:build linux && !ringfence_portable

package remedy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/ruleset"
)

const (
	// nfnlgrpNFTables is the group that the kernel tells changes of nftables to (NFNLGRP_NFTABLES).
	nfnlgrpNFTables = 7
	// listenBuffer is how much of them is kept while nobody reads, in bytes.
	listenBuffer = 4 << 20
)

// Listener hears every change of nftables in the network namespace that it was made in. The kernel names the process with the
// generation that ends a transaction (nf_tables_gen_notify).
type Listener struct {
	conn    *netlink.Conn
	touched []string // tables of the transaction that is being told; "" is one of somebody else's
	told    []Change
}

// Listen begins to listen, in the network namespace of this thread.
func Listen() (*Listener, error) {
	conn, err := host.Local().Netlink(unix.NETLINK_NETFILTER, nil)
	if err == nil {
		_ = conn.SetReadBuffer(listenBuffer) // what does not fit is told as a change
		err = conn.JoinGroup(nfnlgrpNFTables)
	}
	if err != nil {
		return nil, fmt.Errorf("listen to changes of nftables: %w", err)
	}
	return &Listener{conn: conn}, nil
}

// Close ends it.
func (l *Listener) Close() { _ = l.conn.Close() }

// Next is the next change, of each table of ours and of all others together. It waits for one at most for limit, and looks for the
// end of ctx only then.
func (l *Listener) Next(ctx context.Context, limit time.Duration) (Change, bool) {
	for end := time.Now().Add(limit); len(l.told) == 0; {
		if ctx.Err() != nil || l.conn.SetReadDeadline(end) != nil {
			return Change{}, false
		}
		msgs, err := l.conn.Receive()
		if errors.Is(err, unix.ENOBUFS) { // more than was kept: who it was is lost
			l.told = append(l.told, Change{Table: Table}, Change{Table: trialTable}, Change{})
		} else if err != nil {
			if time.Now().After(end) {
				return Change{}, false
			}
			time.Sleep(time.Millisecond)
		}
		for _, m := range msgs {
			l.hear(m)
		}
	}
	c := l.told[0]
	l.told = l.told[1:]
	return c, true
}

// hear takes in one message: the table that it is about, or the end of its transaction.
func (l *Listener) hear(m netlink.Message) {
	e, ok, err := wire.ParseNFTablesEvent(m)
	if !ok || err != nil {
		return
	}
	if e.Kind != unix.NFT_MSG_NEWGEN {
		name := "" // of others all count as one
		for _, own := range []string{Table, trialTable} {
			if e.Table == own && slices.Contains(families, ruleset.FamilyName(e.Family)) {
				name = own
			}
		}
		if !slices.Contains(l.touched, name) {
			l.touched = append(l.touched, name)
		}
		return
	}
	slices.SortFunc(l.touched, func(a, b string) int { return len(b) - len(a) }) // ours first
	for _, t := range l.touched {
		l.told = append(l.told, Change{Table: t, PID: e.PID, Program: e.Program})
	}
	l.touched = nil
}
