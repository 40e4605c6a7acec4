package watch

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
)

// sections are the parts of a snapshot that an event of a kind can change.
var sections = map[string][]string{
	Ruleset:  {"nftables"},
	Network:  {"network", "namespaces", "nftables"},
	File:     {"agents", "kernel", "management", "powers", "runtimes", "ssh", "system", "winrm"},
	Listener: {"listeners", "namespaces"},
	Process:  {"agents", "listeners", "management", "namespaces", "powers", "processes", "runtimes", "ssh", "winrm"},
}

// ways are the sections that decide whether a packet arrives.
var ways = []string{"nftables", "network", "namespaces", "listeners"}

// causes are the events that can have to do with a change: those about a part of the host that it is made from.
func (w *watch) causes(c *finding.Change, heard []Event) (list []Event) {
	var from []string
	switch {
	case c.Check != "":
		from = w.opt.Reads[c.Check]
	case c.Zone != "": // a way
		from = ways
	default: // how well a collector sees
		from = []string{c.Object}
	}
	for _, e := range heard {
		if slices.ContainsFunc(from, func(part string) bool {
			section, _, _ := strings.Cut(part, ".")
			return slices.Contains(sections[e.Kind], section)
		}) {
			list = append(list, e)
		}
	}
	return list
}

// opened is a socket as it is told. One that another user opened in the place of one that is gone is another.
type opened struct {
	netns       uint64
	proto, addr string
	port, uid   int
}

// mostSockets bounds the sockets that are told between two reads.
const mostSockets = 32

// sockets are the sockets that listen in one read and not in the one before, with who has them.
func sockets(before, now *snapshot.Snapshot, at string) (list []Event) {
	if before == nil || now == nil {
		return nil
	}
	was := map[opened]bool{}
	for i := range before.Listeners.Sockets {
		was[socketOf(&before.Listeners.Sockets[i])] = true
	}
	for i := range now.Listeners.Sockets {
		s := &now.Listeners.Sockets[i]
		key := socketOf(s)
		if s.Family == 0 || was[key] || len(list) >= mostSockets {
			continue
		}
		was[key] = true
		e := Event{Kind: Listener, What: s.Proto + " " + net.JoinHostPort(s.Addr, strconv.Itoa(s.Port)) + " opened", Time: at, Count: 1}
		if s.Netns != now.Host.Self.NS.Net {
			e.What += fmt.Sprintf(" in network namespace %d", s.Netns)
		}
		if len(s.Owners) > 0 {
			e.PID, e.Program = s.Owners[0].PID, s.Owners[0].Comm
		}
		uid := s.UID
		e.UID = &uid
		list = append(list, e)
	}
	return list
}

func socketOf(s *snapshot.Socket) opened { return opened{s.Netns, s.Proto, s.Addr, s.Port, s.UID} }
