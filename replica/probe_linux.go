//go:build linux && !ringfence_portable

package replica

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// patience is how long a probe waits for an answer: within one machine it comes in well under a
// millisecond, and the first one also asks for a neighbour. lastPatience is for one that was missed: longer than a
// new link-local address is tentative, from which a router asks for its IPv6 neighbours (RFC 4862, 5.4).
const (
	patience     = 400 * time.Millisecond
	lastPatience = 2500 * time.Millisecond
)

// Listen opens the host's sockets and those of the peers. They answer every probe.
func (r *Replica) Listen() error {
	for i := range r.host.Sockets {
		s := &r.host.Sockets[i]
		addr, err := netip.ParseAddr(s.Addr)
		if err != nil {
			continue
		}
		only4, only6 := s.Family == 4, s.Family == 6 && s.V6Only
		if err := listen(s.Proto, netip.AddrPortFrom(addr.WithZone(""), uint16(s.Port)), s.Device, only4, only6); err != nil {
			r.Omitted = append(r.Omitted, fmt.Sprintf("socket %s %s: %v", s.Proto, s.Addr, err))
		}
	}
	for _, p := range r.host.Peers {
		w := r.worlds[p.Iif]
		if w == nil {
			continue
		}
		if err := w.give(p.At.Addr()); err != nil {
			return err
		}
		err := inside(w.ns, func() error { return listen(p.Proto, scoped(p.At, w.dev), "", p.At.Addr().Is4(), p.At.Addr().Is6()) })
		if err != nil && !errors.Is(err, unix.EADDRINUSE) {
			return fmt.Errorf("peer %s: %w", p.At, err)
		}
	}
	return nil
}

// network is tcp or udp of one family, or of both.
func network(proto string, only4, only6 bool) string {
	switch {
	case only4:
		return proto + "4"
	case only6:
		return proto + "6"
	}
	return proto
}

func listen(proto string, at netip.AddrPort, device string, only4, only6 bool) error {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		cerr := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1)
			if device != "" && err == nil {
				err = unix.BindToDevice(int(fd), device)
			}
		})
		return errors.Join(cerr, err)
	}}
	if proto == "tcp" {
		l, err := lc.Listen(context.Background(), network(proto, only4, only6), at.String())
		if err != nil {
			return err
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_ = c.Close()
			}
		}()
		return nil
	}
	c, err := lc.ListenPacket(context.Background(), network(proto, only4, only6), at.String())
	if err != nil {
		return err
	}
	go func() {
		buf := make([]byte, 64)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(buf[:n], from)
		}
	}()
	return nil
}

// Ready gives the senders of probes their addresses, and makes known how to get to addresses of the host
// that are on other interfaces, which neighbour discovery does not answer for.
func (r *Replica) Ready(probes []Probe) error {
	for i := range probes {
		p := &probes[i]
		w := r.worlds[p.From]
		if p.From == "" || w == nil {
			continue
		}
		if err := w.give(p.Src); err != nil {
			return err
		}
		if err := r.introduce(w, p); err != nil {
			return err
		}
	}
	return nil
}

func (r *Replica) introduce(w *world, p *Probe) error {
	l := r.host.Network.LinkNamed(p.From)
	if b := r.host.Network.BridgeOf(l); b != nil { // which has the addresses
		l = b
	}
	if l == nil || slices.ContainsFunc(l.Addrs, func(a string) bool {
		x, err := netip.ParsePrefix(a)
		return err == nil && x.Addr() == p.Dst.Addr()
	}) || slices.ContainsFunc(r.host.Peers, func(e Endpoint) bool { return e.At.Addr() == p.Dst.Addr() }) { // who has it answers
		return nil
	}
	here, err := vnl.LinkByName(l.Name)
	if err != nil {
		return fmt.Errorf("interface %s: %w", l.Name, err)
	}
	return inside(w.ns, func() error {
		dev, err := vnl.LinkByName(w.dev)
		if err != nil {
			return err
		}
		return vnl.NeighSet(&vnl.Neigh{
			LinkIndex: dev.Attrs().Index, State: vnl.NUD_PERMANENT, IP: p.Dst.Addr().AsSlice(), HardwareAddr: here.Attrs().HardwareAddr,
		})
	})
}

// Try sends all probes at once, and tells how each ends, by its number. Those whose answer is missed are sent
// again: a busy machine can be late with one.
func (r *Replica) Try(probes []Probe) map[int]string {
	out := r.once(probes, patience)
	var again []Probe
	for _, p := range probes {
		if p.Answered && out[p.ID] != Open {
			again = append(again, p)
		}
	}
	maps.Copy(out, r.once(again, lastPatience))
	return out
}

func (r *Replica) once(probes []Probe, wait time.Duration) map[int]string {
	out := map[int]string{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, p := range probes {
		wg.Go(func() {
			ns := r.home
			if p.From != "" {
				w := r.worlds[p.From]
				if w == nil {
					return
				}
				ns, p.Src, p.Dst = w.ns, scoped(netip.AddrPortFrom(p.Src, 0), w.dev).Addr(), scoped(p.Dst, w.dev)
			}
			result := Failed
			err := inside(ns, func() error {
				result = p.send(wait)
				return nil
			})
			if err != nil {
				result = Failed
			}
			mu.Lock()
			defer mu.Unlock()
			out[p.ID] = result
		})
	}
	wg.Wait()
	return out
}

// scoped has the interface that a link-local address is of.
func scoped(at netip.AddrPort, dev string) netip.AddrPort {
	if a := at.Addr(); a.Is6() && a.IsLinkLocalUnicast() {
		return netip.AddrPortFrom(a.WithZone(dev), at.Port())
	}
	return at
}

func (p *Probe) send(wait time.Duration) string {
	d := net.Dialer{Timeout: wait, Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		cerr := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
		return errors.Join(cerr, err)
	}}
	at := netip.AddrPortFrom(p.Src, uint16(p.Sport))
	if p.Proto == "tcp" {
		if p.Src.IsValid() {
			d.LocalAddr = net.TCPAddrFromAddrPort(at)
		}
	} else if p.Src.IsValid() {
		d.LocalAddr = net.UDPAddrFromAddrPort(at)
	}
	c, err := d.Dial(network(p.Proto, p.Dst.Addr().Is4(), p.Dst.Addr().Is6()), p.Dst.String())
	if err != nil {
		return outcome(err)
	}
	defer c.Close()
	if p.Proto == "tcp" {
		_ = c.(*net.TCPConn).SetLinger(0) // no waiting state that a repeated probe would meet
		return Open
	}
	_ = c.SetDeadline(time.Now().Add(wait))
	if _, err := c.Write([]byte("ringfence")); err != nil {
		return outcome(err)
	}
	if _, err := c.Read(make([]byte, 64)); err != nil {
		return outcome(err)
	}
	return Open
}

func outcome(err error) string {
	var ne net.Error
	switch {
	case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.EACCES), errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.EPERM):
		return Refused
	case errors.As(err, &ne) && ne.Timeout():
		return Silent
	}
	return Failed
}
