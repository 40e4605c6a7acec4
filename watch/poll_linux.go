//go:build linux && !ringfence_portable

package watch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
)

const (
	// every is how often it is looked whether sockets and processes are others: nobody tells of these who could not be made to tell too much.
	every = 5 * time.Second
	// ephemeral is where the kernel begins to give out ports by itself (ip_local_port_range in ip(7)): those of UDP come and go.
	ephemeral = 32768
	// mostNamed bounds the processes that are named at once.
	mostNamed = 8
)

// glance is what is looked at between full reads: which sockets listen in this network namespace, and which processes there are.
type glance struct {
	sockets string
	pids    []int
	stay    map[int]bool // those that were there before too
}

// poll looks until ctx ends, and tells what is otherwise than before.
func poll(ctx context.Context, h *host.Host, tell func(Event)) {
	was := look(h, nil)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := look(h, was)
		if now.sockets != was.sockets {
			tell(Event{Kind: Listener, What: "sockets that listen are others"})
		}
		if was.stay != nil {
			now.tell(h, was, tell)
		}
		was = now
	}
}

// look looks. A process stays if it was there at the look before.
func look(h *host.Host, was *glance) *glance {
	g := &glance{sockets: listening(h)}
	g.pids, _ = h.PIDs()
	if was == nil {
		return g
	}
	g.stay = map[int]bool{}
	for _, pid := range g.pids {
		if _, before := slices.BinarySearch(was.pids, pid); before {
			g.stay[pid] = true
		}
	}
	return g
}

// tell tells of processes that stay and did not before, and of those that did and are gone.
func (g *glance) tell(h *host.Host, was *glance, tell func(Event)) {
	named := 0
	for _, pid := range g.pids {
		if !g.stay[pid] || was.stay[pid] {
			continue
		}
		name, err := h.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err != nil || len(name) == 0 {
			continue
		}
		if named++; named > mostNamed {
			tell(Event{Kind: Process, What: "other processes began"})
			break
		}
		comm := string(name[:len(name)-1])
		tell(Event{Kind: Process, What: "a process began", PID: pid, Program: comm, UID: uidOf(pid, comm)})
	}
	for pid := range was.stay {
		if !g.stay[pid] {
			tell(Event{Kind: Process, What: "processes ended"})
			return
		}
	}
}

// listening is a text that is another if other sockets of IP listen in the network namespace of the thread.
func listening(h *host.Host) string {
	conn, err := h.Questions(unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return ""
	}
	defer conn.Close()
	var list []string
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		for proto, states := range map[int]uint32{unix.IPPROTO_TCP: 1 << wire.StateListen, unix.IPPROTO_UDP: 1 << wire.StateClose} {
			msgs, err := conn.Execute(wire.SocketQuery{Family: family, Protocol: proto, States: states}.Message())
			if err != nil {
				continue
			}
			for _, m := range msgs {
				s, err := wire.ParseInet(m.Data)
				if err == nil && (proto == unix.IPPROTO_TCP || s.Local.Port() < ephemeral) {
					list = append(list, fmt.Sprint(proto, s.Local, s.Device, s.UID))
				}
			}
		}
	}
	slices.Sort(list)
	return fmt.Sprint(slices.Compact(list))
}
