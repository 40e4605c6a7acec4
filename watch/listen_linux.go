//go:build linux && !ringfence_portable

package watch

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
)

// nfnlgrpNFTables is the group that the kernel tells changes of nftables to (NFNLGRP_NFTABLES).
const nfnlgrpNFTables = 7

// buffer is how much the kernel keeps of what it tells while nobody reads, in bytes. What does not fit is told as lost.
const buffer = 1 << 20

// afterError is how long a source waits after an error before it goes on.
const afterError = time.Second

// source is a socket of netlink and what its messages say.
type source struct {
	protocol int
	groups   []uint32
	hear     func(netlink.Message) (Event, bool)
}

// Ear hears what happens on this host, in the network namespace of the thread that listens first.
type Ear struct {
	files *files
	note  func(string)
}

// NewEar is one that hears of changes of those files too that are noted as they are read.
func NewEar() *Ear {
	e := &Ear{files: newFiles()}
	e.note = e.files.note
	return e
}

// Note is called for each path that is looked at, by any number of goroutines.
func (e *Ear) Note(path string) { e.note(path) }

// Listen begins to tell of what happens until ctx ends, and says what it cannot hear.
func (e *Ear) Listen(ctx context.Context, tell func(Event)) (deaf []string) {
	for name, s := range sources() {
		if err := s.listen(ctx, buffer, tell); err != nil {
			deaf = append(deaf, fmt.Sprintf("%s (%v)", name, err))
		}
	}
	if err := e.files.listen(ctx, tell); err != nil {
		deaf = append(deaf, fmt.Sprintf("changes of files (%v)", err))
	}
	go poll(ctx, host.Local(), tell)
	return deaf
}

// sources are the sockets that are listened to, by what they tell.
func sources() map[string]source {
	return map[string]source{
		"changes of the packet filter": {unix.NETLINK_NETFILTER, []uint32{nfnlgrpNFTables}, hearRuleset},
		"changes of the network":       {unix.NETLINK_ROUTE, wire.RouteGroups, hearRoute},
	}
}

// Seen is called after each full read: the files that it noted are listened to from then on. One that changed while it was read is told.
func (e *Ear) Seen(began time.Time, tell func(Event)) { e.files.seen(began, tell) }

// listen begins to tell of messages. Closing the socket at the end of ctx ends the goroutine that reads it.
func (s source) listen(ctx context.Context, size int, tell func(Event)) error {
	conn, err := host.Local().Netlink(s.protocol, nil)
	if err != nil {
		return err
	}
	if err = conn.SetReadBuffer(size); err == nil {
		for _, g := range s.groups {
			if err = conn.JoinGroup(g); err != nil {
				break
			}
		}
	}
	if err != nil {
		_ = conn.Close()
		return err
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	go func() {
		for ctx.Err() == nil {
			msgs, err := conn.Receive()
			if err != nil {
				if ctx.Err() != nil {
					return
				}
				tell(Event{Kind: Lost, What: "events of netlink"})
				if !errors.Is(err, unix.ENOBUFS) {
					time.Sleep(afterError)
				}
				continue
			}
			for _, m := range msgs {
				if e, ok := s.hear(m); ok {
					tell(e)
				}
			}
		}
	}()
	return nil
}

// hearRuleset is the end of a transaction of nftables, which names the process.
func hearRuleset(m netlink.Message) (Event, bool) {
	e, ok, err := wire.ParseNFTablesEvent(m)
	switch {
	case err != nil:
		return Event{Kind: Lost}, true
	case !ok || e.Kind != unix.NFT_MSG_NEWGEN:
		return Event{}, false
	}
	out := Event{Kind: Ruleset, What: fmt.Sprintf("ruleset generation %d", e.Generation), PID: e.PID, Program: e.Program}
	if e.PID != 0 {
		out.UID = uidOf(e.PID, e.Program)
	}
	return out, true
}

func hearRoute(m netlink.Message) (Event, bool) {
	what, ok, err := wire.ParseRouteEvent(m)
	if err != nil {
		return Event{Kind: Lost}, true
	}
	return Event{Kind: Network, What: what}, ok
}

// uidOf is the effective uid of a process (proc_pid_status(5)), nil if it is gone or has another name: its number can be another's by now.
func uidOf(pid int, name string) *int {
	text, err := host.Local().ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil
	}
	is := false
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		switch key {
		case "Name":
			is = strings.TrimSpace(value) == name
		case "Uid":
			words := strings.Fields(value)
			if !is || len(words) < 2 {
				return nil
			}
			if uid, err := strconv.Atoi(words[1]); err == nil {
				return &uid
			}
		default:
		}
	}
	return nil
}
