//go:build linux

package e2e

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
		_ = c.SetReadBuffer(64 << 20)
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

// send floods from a workload until ctx ends, some ten thousand datagrams a second.
func (f *flood) send(b *testbed, ctx context.Context, addr string, armed *atomic.Bool) {
	b.inNS("w1", func() {
		c, err := net.Dial("udp4", addr)
		if err != nil {
			b.t.Error(err)
			return
		}
		defer c.Close()
		for ctx.Err() == nil {
			for range 20 {
				mark := byte(0)
				if armed.Load() {
					mark = 1
				}
				if _, err := c.Write([]byte{mark}); err != nil {
					continue // refused by an earlier answer: not sent
				}
				f.sent.Add(1)
				f.sentArmed.Add(int64(mark))
			}
			time.Sleep(2 * time.Millisecond)
		}
	})
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
	var armed atomic.Bool
	var denied, kept flood
	denied.receive(b, ctx, "0.0.0.0:623") // IPMI, which workloads must not reach
	kept.receive(b, ctx, "0.0.0.0:9999")
	b.listen("tcp", "[::]:2375", "")
	sending, enough := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { denied.send(b, sending, "172.17.0.1:623", &armed) })
	wg.Go(func() { kept.send(b, sending, "172.17.0.1:9999", &armed) })
	cmd, errs := b.trial("--confirm", "auto")
	armed.Store(true)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, lastLines(errs.String(), 3))
	}
	time.Sleep(300 * time.Millisecond)
	armed.Store(false)
	time.Sleep(50 * time.Millisecond) // what was sent as armed is on its way
	if out, code := b.verb("rollback"); code != 0 {
		t.Errorf("rollback: %d %s", code, out)
	}
	time.Sleep(300 * time.Millisecond)
	enough()
	wg.Wait()
	time.Sleep(300 * time.Millisecond)
	t.Logf("closed: %d sent, %d while the fix was loaded, of them %d got through; %d arrived in all; kept: %d sent, %d lost", denied.sent.Load(),
		denied.sentArmed.Load(), denied.gotArmed.Load(), denied.got.Load(), kept.sent.Load(), kept.sent.Load()-kept.got.Load())
	if denied.gotArmed.Load() > 0 || denied.sentArmed.Load() < 1000 || denied.got.Load() == 0 {
		t.Error("what is closed got through, or was not tried")
	}
	if kept.sent.Load() != kept.got.Load() || kept.sentArmed.Load() < 1000 {
		t.Error("what is kept was lost, or was not tried")
	}
}
