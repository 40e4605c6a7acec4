//go:build linux

package e2e

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/e2e/bed"
)

// flood is a stream of datagrams, each with whether the fix was loaded when it was sent.
type flood struct {
	sent, sentArmed, got, gotArmed atomic.Int64
}

// receive counts what arrives at a port of the host. Its buffer holds what the test can send while it does not run.
func (f *flood) receive(b *testbed, ctx context.Context, addr string) {
	var c *net.UDPConn
	b.inNS("host", func() {
		at, err := net.ResolveUDPAddr("udp4", addr)
		if err == nil {
			c, err = net.ListenUDP("udp4", at)
		}
		if err != nil {
			b.t.Error(err)
			return
		}
		raw, err := c.SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) { // also beyond net.core.rmem_max
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
			})
		}
		if err != nil {
			b.t.Error(err)
		}
	})
	if c == nil {
		return
	}
	context.AfterFunc(ctx, func() { c.Close() })
	go func() {
		buf := make([]byte, 16)
		for {
			n, _, err := c.ReadFromUDP(buf)
			if err != nil {
				return
			}
			f.got.Add(1)
			if n > 0 && buf[0] == 1 {
				f.gotArmed.Add(1)
			}
		}
	}()
}

// inFlight is how many datagrams that have to arrive can be on their way: a processor's queue takes 1,000 (net.core.netdev_max_backlog).
const inFlight = 300

// mark is whether the fix is loaded. It does not change between the look at it and the datagram that says so.
type mark struct {
	sync.RWMutex
	armed bool
}

func (m *mark) set(armed bool) {
	m.Lock()
	defer m.Unlock()
	m.armed = armed
}

// send floods from a workload until ctx ends, some thousand datagrams a second; where all have to arrive, as fast as they do.
func (f *flood) send(b *testbed, ctx context.Context, addr string, m *mark, arrives bool) {
	b.inNS("w1", func() {
		c, err := net.Dial("udp4", addr)
		if err != nil {
			b.t.Error(err)
			return
		}
		defer c.Close()
		for ctx.Err() == nil {
			for range 20 {
				if !arrives || f.sent.Load()-f.got.Load() < inFlight {
					f.one(c, m)
				}
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
}

// one sends a datagram.
func (f *flood) one(c net.Conn, m *mark) {
	m.RLock()
	defer m.RUnlock()
	n := map[bool]byte{true: 1}[m.armed]
	if _, err := c.Write([]byte{n}); err != nil {
		return // refused by an earlier answer: not sent
	}
	f.sent.Add(1)
	f.sentArmed.Add(int64(n))
}

// TestNoGapInAFlood sends datagrams all the while a fix is loaded, made lasting and taken out: of what it closes
// none gets through from when it is loaded on until it is taken out, and of the others none is lost.
func TestNoGapInAFlood(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.nft("flush ruleset\n" + foreign)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var armed mark
	var denied, kept flood
	denied.receive(b, ctx, "0.0.0.0:623") // IPMI, which workloads must not reach
	kept.receive(b, ctx, "0.0.0.0:9999")
	b.listen("tcp", "[::]:2375", "")
	sending, enough := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { denied.send(b, sending, "172.17.0.1:623", &armed, false) })
	wg.Go(func() { kept.send(b, sending, "172.17.0.1:9999", &armed, true) })
	cmd, errs := b.trial("--confirm", "auto")
	armed.set(true)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, lastLines(errs.String(), 3))
	}
	if !bed.Until(func() bool { return denied.sentArmed.Load() > 1000 && kept.sentArmed.Load() > 1000 }) {
		t.Error("too few were sent")
	}
	armed.set(false)
	time.Sleep(50 * time.Millisecond) // what was sent as armed is on its way
	if out, code := b.verb("rollback"); code != 0 {
		t.Errorf("rollback: %d %s", code, out)
	}
	was := denied.got.Load()
	if !bed.Until(func() bool { return denied.got.Load() > was }) {
		t.Error("taken out, and still closed")
	}
	enough()
	wg.Wait()
	bed.Until(func() bool { return kept.got.Load() == kept.sent.Load() })
	t.Logf("closed: %d sent, %d while the fix was loaded, of them %d got through; %d arrived in all; kept: %d sent, %d lost", denied.sent.Load(),
		denied.sentArmed.Load(), denied.gotArmed.Load(), denied.got.Load(), kept.sent.Load(), kept.sent.Load()-kept.got.Load())
	if denied.gotArmed.Load() > 0 {
		t.Error("what is closed got through")
	}
	if kept.sent.Load() != kept.got.Load() {
		t.Error("what is kept was lost")
	}
}
