//go:build linux && !ringfence_portable

package checks

import (
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// TestKnownSocketsAreAsTold: what another namespace is not asked for is what it would have told.
func TestKnownSocketsAreAsTold(t *testing.T) {
	s := newScan(host.Local())
	all := func(uint64, *snapshot.Socket) bool { return true }
	own := socketLister{s: s, keep: all}
	own.list(nil, 1)
	for _, c := range []struct {
		name    string
		sockets [][2]int // family and protocol
	}{
		{"none", nil},
		{"one of TCP", [][2]int{{unix.AF_INET, unix.IPPROTO_TCP}}},
		{"one of MPTCP in IPv4", [][2]int{{unix.AF_INET, unix.IPPROTO_TCP}, {unix.AF_INET, unix.IPPROTO_MPTCP}}},
		{"one of MPTCP in IPv6", [][2]int{{unix.AF_INET6, unix.IPPROTO_MPTCP}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := host.HasSockets(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP); err != nil {
				t.Skipf("the kernel has no MPTCP: %v", err)
			}
			ns := netnsWith(t, c.sockets)
			plain, families := (&socketLister{s: s, keep: all}).list(ns, 2)
			got, gotFamilies := own.list(ns, 2)
			if d := cmp.Diff(plain, got) + cmp.Diff(proto(families), proto(gotFamilies)); d != "" {
				t.Error(d)
			}
			want := 0
			for _, k := range c.sockets {
				if k[1] == unix.IPPROTO_MPTCP {
					want++
				}
			}
			if n := len(slices.DeleteFunc(slices.Clone(got), func(sk snapshot.Socket) bool { return sk.Proto != "mptcp" })); n != want {
				t.Errorf("%d sockets of MPTCP, not %d", n, want)
			}
		})
	}
}

// TestAbsentKindsAreNotAskedFor: of a kind that the kernel does not have nothing is asked in another namespace.
func TestAbsentKindsAreNotAskedFor(t *testing.T) {
	l := socketLister{}
	for range socketKinds {
		l.own = append(l.own, snapshot.SocketFamily{State: snapshot.Absent, Reason: "the kernel has none"})
	}
	for i, k := range socketKinds {
		if got, ok := l.known(i, os.Stdin, nil); !ok || got.Reason != "the kernel has none" {
			t.Errorf("%s is asked for", k.proto)
		}
		if _, ok := l.known(i, nil, nil); ok {
			t.Errorf("%s is not asked for in the first namespace", k.proto)
		}
		l.own[i] = snapshot.SocketFamily{State: snapshot.OK}
		if _, ok := l.known(i, os.Stdin, map[uint8]bool{k.family: true}); ok != (k.proto == "mptcp") {
			t.Errorf("%s: known is %v", k.proto, ok)
		}
		if _, ok := l.known(i, os.Stdin, nil); ok {
			t.Errorf("%s is known of a namespace with sockets that may be of MPTCP", k.proto)
		}
	}
}

// proto are families without their place.
func proto(list []snapshot.SocketFamily) (out []string) {
	for _, f := range list {
		out = append(out, f.Proto+" "+string(f.State)+" "+f.Reason)
	}
	return out
}

// netnsWith is a network namespace in which sockets listen.
func netnsWith(t *testing.T, sockets [][2]int) *os.File {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("needs root, to make a network namespace")
	}
	made := make(chan *os.File)
	go func() { // the thread stays in the namespace, and ends with this function
		defer close(made)
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		for _, k := range sockets {
			fd, err := unix.Socket(k[0], unix.SOCK_STREAM|unix.SOCK_CLOEXEC, k[1])
			if err == nil {
				t.Cleanup(func() { _ = unix.Close(fd) })
				err = unix.Listen(fd, 1)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
		f, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			t.Error(err)
			return
		}
		made <- f
	}()
	f := <-made
	if f == nil {
		t.FailNow()
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}
