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

// Change is a change of one of our tables, and the process that the kernel names for it.
type Change struct {
	Table   string
	PID     int
	Program string
}

// String names the process.
func (c Change) String() string {
	if c.Program == "" {
		return "by a process that the kernel does not name"
	}
	return fmt.Sprintf("by process %d (%s)", c.PID, c.Program)
}

// nfnlgrpNFTables is the group that the kernel tells changes of nftables to (NFNLGRP_NFTABLES).
const nfnlgrpNFTables = 7

// Changes tells every change of one of our tables in the network namespace of this thread until ctx ends. The
// kernel names the process with the generation that ends a transaction (nf_tables_gen_notify).
func Changes(ctx context.Context) (<-chan Change, error) {
	conn, err := host.Local().Netlink(unix.NETLINK_NETFILTER, nil)
	if err == nil {
		err = conn.JoinGroup(nfnlgrpNFTables)
	}
	if err != nil {
		return nil, fmt.Errorf("listen to changes of nftables: %w", err)
	}
	out := make(chan Change, 16)
	go func() {
		defer close(out)
		defer conn.Close()
		var touched []string
		for ctx.Err() == nil {
			// A deadline, so that the end of ctx is seen.
			if conn.SetReadDeadline(time.Now().Add(time.Second)) != nil {
				return
			}
			msgs, err := conn.Receive()
			if err != nil && !errors.Is(err, unix.ENOBUFS) {
				continue // nothing yet; what was lost in a flood shows in a comparison
			}
			for _, m := range msgs {
				touched = told(m, touched, out)
			}
		}
	}()
	return out, nil
}

// told takes in one message: the tables of ours that it is about, or the end of their transaction.
func told(m netlink.Message, touched []string, out chan<- Change) []string {
	e, ok, err := wire.ParseNFTablesEvent(m)
	if !ok || err != nil {
		return touched
	}
	if e.Kind != unix.NFT_MSG_NEWGEN {
		for _, own := range []string{Table, trialTable} {
			if e.Table == own && slices.Contains(families, ruleset.FamilyName(e.Family)) && !slices.Contains(touched, own) {
				touched = append(touched, own)
			}
		}
		return touched
	}
	for _, t := range touched {
		select {
		case out <- Change{Table: t, PID: e.PID, Program: e.Program}:
		default: // nobody reads: what they get is enough to look again
		}
	}
	return nil
}
