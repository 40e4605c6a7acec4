//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// TestKnownSocketsAreAsTold: what another namespace is not asked for is what it would have told.
func TestKnownSocketsAreAsTold(t *testing.T) {
	s := newScan(host.Local())
	all := func(uint64, *snapshot.Socket) bool { return true }
	own := socketLister{s: s, keep: all}
	own.list(&foundNetns{Netns: snapshot.Netns{Inode: 1, Host: true}})
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
				t.Skipf("the kernel lacks: MPTCP: %v", err)
			}
			ns := netnsWith(t, c.sockets)
			var plain, got []snapshot.Socket
			var families, gotFamilies []snapshot.SocketFamily
			inNetns(t, ns, func() {
				other := foundNetns{Netns: snapshot.Netns{Inode: 2}}
				plain, families = (&socketLister{s: s, keep: all}).list(&other)
				got, gotFamilies = own.list(&other)
			})
			if d := gocmp.Diff(plain, got) + gocmp.Diff(proto(families), proto(gotFamilies)); d != "" {
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
		if got, ok := l.known(i, false, nil); !ok || got.Reason != "the kernel has none" {
			t.Errorf("%s is asked for", k.proto)
		}
		if _, ok := l.known(i, true, nil); ok {
			t.Errorf("%s is not asked for in the first namespace", k.proto)
		}
		l.own[i] = snapshot.SocketFamily{State: snapshot.OK}
		if _, ok := l.known(i, false, map[uint8]bool{k.family: true}); ok != (k.proto == "mptcp") {
			t.Errorf("%s: known is %v", k.proto, ok)
		}
		if _, ok := l.known(i, false, nil); ok {
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

// inNetns runs f on a thread in a network namespace.
func inNetns(t *testing.T, ns *os.File, f func()) {
	t.Helper()
	host.Local().Visit(func(enter func(*os.File) error) {
		if err := enter(ns); err != nil {
			t.Error(err)
			return
		}
		f()
	})
}

// netnsWith is a network namespace in which sockets listen.
func netnsWith(t *testing.T, sockets [][2]int) *os.File {
	t.Helper()
	return netnsAfter(t, func() error {
		for _, k := range sockets {
			if err := unix.Listen(socketOf(t, k[0], k[1]), 1); err != nil {
				return err
			}
		}
		return nil
	})
}

// socketOf makes a socket, which is closed after the test.
func socketOf(t *testing.T, family, protocol int) int {
	kind := unix.SOCK_STREAM
	if protocol == unix.IPPROTO_UDP {
		kind = unix.SOCK_DGRAM
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		t.Error(err)
		return -1
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// netnsAfter is a network namespace in which something was done.
func netnsAfter(t *testing.T, do func() error) *os.File {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("needs root, to make a network namespace")
	}
	made := make(chan *os.File)
	go func() { // the thread stays in the namespace, and ends with this function
		defer close(made)
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = do()
		}
		if err != nil {
			t.Error(err)
			return
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

// connected connects a socket. The kernel adds the route of an IPv6 address after ip(8) has ended (addrconf_dad_work).
func connected(fd int, to unix.Sockaddr) error {
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if err := unix.Connect(fd, to); !errors.Is(err, unix.ENETUNREACH) || time.Now().After(end) {
			return err
		}
	}
}

// TestFlowsOfSockets: a connection is told from who opened it, in both families, by its end at the listener and by the other.
func TestFlowsOfSockets(t *testing.T) {
	server4, client4 := &unix.SockaddrInet4{Port: 8080, Addr: [4]byte{192, 0, 2, 1}}, &unix.SockaddrInet4{Addr: [4]byte{192, 0, 2, 2}}
	server6, client6 := &unix.SockaddrInet6{Port: 8081, Addr: [16]byte{0xfd, 15: 1}}, &unix.SockaddrInet6{Addr: [16]byte{0xfd, 15: 2}}
	ns := netnsAfter(t, func() error {
		if out, err := exec.Command("sh", "-c", "ip link set lo up; for a in 192.0.2.1/32 192.0.2.2/32; do ip address add $a dev lo; done; "+
			"for a in fd00::1/128 fd00::2/128; do ip -6 address add $a dev lo nodad; done").CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		for _, c := range []struct {
			family         int
			server, client unix.Sockaddr
		}{{unix.AF_INET, server4, client4}, {unix.AF_INET6, server6, client6}} {
			l, k := socketOf(t, c.family, unix.IPPROTO_TCP), socketOf(t, c.family, unix.IPPROTO_TCP)
			if err := cmp.Or(unix.Bind(l, c.server), unix.Listen(l, 1), unix.Bind(k, c.client), connected(k, c.server)); err != nil {
				return err
			}
			serves, uses := socketOf(t, c.family, unix.IPPROTO_UDP), socketOf(t, c.family, unix.IPPROTO_UDP) // a server has connected its socket to a client
			if err := cmp.Or(unix.Bind(uses, c.client), unix.Bind(serves, c.server), connected(uses, c.server)); err != nil {
				return err
			}
			client, err := unix.Getsockname(uses)
			if err := cmp.Or(err, connected(serves, client)); err != nil {
				return err
			}
		}
		return nil
	})
	c, tcp, udp := newFlowCount(nil, nil), 0, 0
	inNetns(t, ns, func() {
		s := newScan(host.Local())
		tcp, udp = s.hashed()
		s.socketFlows(c, false)
	})
	if tcp != 6 || udp != 4 {
		t.Errorf("%d sockets of TCP and %d of UDP, want those that listen with both ends of a connection, and all of UDP", tcp, udp)
	}
	want := map[snapshot.FlowUse]int{
		{Proto: "tcp", Peer: "192.0.2.2", Addr: "192.0.2.1", Port: 8080}: 2,
		{Proto: "tcp", Peer: "fd00::2", Addr: "fd00::1", Port: 8081}:     2,
		{Proto: "udp", Peer: "192.0.2.2", Addr: "192.0.2.1", Port: 8080}: 2,
		{Proto: "udp", Peer: "fd00::2", Addr: "fd00::1", Port: 8081}:     2,
	}
	if d := gocmp.Diff(want, c.seen); d != "" {
		t.Error(d)
	}
}

// TestConnectionsAreLookedForOnce: the kernel counts the sockets of a namespace; where it knows of no more than those that listen, connections are not looked
// for, and where it does not tell, they are.
func TestConnectionsAreLookedForOnce(t *testing.T) {
	const inUse = "sockets: used 4\nTCP: inuse 1 orphan 0 tw 0 alloc 2 mem 1\nUDP: inuse 0 mem 0\nUDPLITE: inuse 7\n"
	for name, c := range map[string]struct {
		files map[string]string
		tcp   int
		udp   int
	}{
		"both families": {map[string]string{"sockstat": inUse, "sockstat6": "TCP6: inuse 2\nUDP6: inuse 3\n"}, 3, 3},
		"no IPv6":       {map[string]string{"sockstat": inUse}, 1, 0},
		"nothing":       {nil, many, many},
		"no number":     {map[string]string{"sockstat": "TCP: inuse x\nUDP: inuse 0\n"}, many, 0},
		"other words":   {map[string]string{"sockstat": "TCP: alloc 1\n"}, many, many},
	} {
		root := t.TempDir()
		if err := os.MkdirAll(filepath.Join(root, "proc/thread-self/net"), 0o755); err != nil {
			t.Fatal(err)
		}
		for file, text := range c.files {
			if err := os.WriteFile(filepath.Join(root, "proc/thread-self/net", file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if tcp, udp := newScan(host.At(root)).hashed(); min(tcp, many) != c.tcp || min(udp, many) != c.udp {
			t.Errorf("%s: %d and %d, want %d and %d", name, tcp, udp, c.tcp, c.udp)
		}
	}
	listens := make([]byte, 72) // inet_diag_msg
	listens[0], listens[1] = unix.AF_INET, wire.StateListen
	for all, want := range map[int]int{0: 0, 1: 1, 2: 2, many: 2} {
		asked := 0
		newFlowCount(nil, nil).connected(unix.IPPROTO_TCP, wire.StateListen, false, all, []uint32{1, 2}, func(states uint32, each func([]byte) error) {
			if asked++; states == 1 {
				_ = each(listens)
			}
		})
		if asked != want {
			t.Errorf("of %d sockets: asked %d times, want %d", all, asked, want)
		}
	}
}

// TestFamiliesAtOnce: one question about TCP tells of both families what two tell.
func TestFamiliesAtOnce(t *testing.T) {
	ns := netnsWith(t, [][2]int{{unix.AF_INET, unix.IPPROTO_TCP}, {unix.AF_INET6, unix.IPPROTO_TCP}, {unix.AF_INET6, unix.IPPROTO_MPTCP}})
	inNetns(t, ns, func() {
		for _, info := range []bool{false, true} {
			d := diag{s: newScan(host.Local())}
			defer d.close()
			var once, twice []string
			add := func(list *[]string) func([]byte) error {
				return func(m []byte) error {
					in, err := wire.ParseInet(m)
					*list = append(*list, fmt.Sprint(in.Family, in.State, in.Local, in.Inode, in.ULP, in.Mark != nil, in.Transparent != nil, in.Cgroup))
					return err
				}
			}
			answered := false
			if err := d.ask(wire.TCPQuery{States: 1 << wire.StateListen, Info: info}.Message(), func(m []byte) error {
				answered = true
				return add(&once)(m)
			}); err != nil || !answered {
				t.Errorf("answered %v: %v", answered, err)
			}
			for _, k := range socketKinds[:2] {
				k.info = info
				if err := d.each(k, add(&twice)); err != nil {
					t.Error(err)
				}
			}
			slices.Sort(once)
			slices.Sort(twice)
			if d := gocmp.Diff(twice, once); d != "" || len(twice) != 3 {
				t.Errorf("%d sockets: %s", len(twice), d)
			}
		}
	})
}
