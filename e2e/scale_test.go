//go:build linux && ringfence_bench

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/ringfence/ringfence/checks"
	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/snapshot"
)

// TestScale prints what an audit of many containers and bridges costs, and of many processes that listen, and its two halves: to collect, and to judge what was
// collected. With RINGFENCE_PROFILE it writes the snapshot and a profile of each half to that directory.
func TestScale(t *testing.T) {
	for _, c := range []struct{ containers, bridges, processes int }{
		{0, 0, 0}, {0, 0, 10_000}, {100, 10, 0}, {500, 50, 0}, {1000, 50, 0}, {0, 200, 0}, {500, 200, 0}, {1000, 200, 0},
	} {
		t.Run(fmt.Sprintf("%d containers on %d bridges, %d processes", c.containers, c.bridges, c.processes), func(t *testing.T) {
			if !bed.Alone(t) {
				return
			}
			populate(t, c.containers, c.bridges)
			listenAll(t, c.processes)
			prog, snap := bed.Program(t), filepath.Join(t.TempDir(), "snapshot.json")
			bed.Shell(t, "%s collect -q >%s", prog, snap)
			st, err := os.Stat(snap)
			if err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{
				{"audit", "-q", "-f", "json", "--fail-on", "none"}, {"collect", "-q"}, {"audit", "-q", "-f", "json", "--fail-on", "none", "--snapshot", snap},
			} {
				m := measure(t, 1, append([]string{prog}, args...)...)
				t.Logf("%-13s %8s CPU %8s wall %5d MB", args[0]+map[bool]string{true: " of file"}[len(args) > 6], m.cpu.Round(time.Millisecond), m.wall.Round(time.Millisecond), m.rss/1024)
			}
			t.Logf("snapshot of %d kB", st.Size()/1000)
			profile(t, fmt.Sprintf("%d-%d-%d", c.containers, c.bridges, c.processes), snap)
		})
	}
}

// profile runs both halves in this process, and writes where their processor time goes.
func profile(t *testing.T, name, file string) {
	t.Helper()
	dir := os.Getenv("RINGFENCE_PROFILE")
	if dir == "" {
		return
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "snapshot-"+name+".json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Load(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	policies, err := judge.Load()
	if err != nil {
		t.Fatal(err)
	}
	for half, run := range map[string]func() error{
		"collect": func() error {
			checks.Collect(t.Context(), host.Local(), checks.Options{Deadline: time.Minute, Now: time.Now})
			return nil
		},
		"judge": func() error {
			_, err := judge.Judge(t.Context(), s, policies, new(judge.Config), "")
			return err
		},
	} {
		out, err := os.Create(filepath.Join(dir, half+"-"+name+".prof"))
		if err != nil {
			t.Fatal(err)
		}
		if err := pprof.StartCPUProfile(out); err != nil {
			t.Fatal(err)
		}
		err = run()
		pprof.StopCPUProfile()
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// populate makes a host with a way out, bridges, and containers in turn on them: a process each in namespaces of its own, which listens on
// port 80 behind a pair of interfaces.
func populate(t *testing.T, containers, bridges int) {
	t.Helper()
	bed.Need(t, "busybox")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	up := func(h *netlink.Handle, name, addr string) int {
		t.Helper()
		l, err := h.LinkByName(name)
		must(err)
		a, err := netlink.ParseAddr(addr)
		must(err)
		must(h.AddrAdd(l, a))
		must(h.LinkSetUp(l))
		return l.Attrs().Index
	}
	h, err := netlink.NewHandle()
	must(err)
	must(h.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "ext0"}, PeerName: "ext1"}))
	up(h, "ext1", "203.0.113.254/24")
	up(h, "ext0", "203.0.113.1/24")
	must(h.RouteAdd(&netlink.Route{Gw: net.IPv4(203, 0, 113, 254)}))
	must(os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0))
	masters := make([]int, bridges)
	for i := range masters {
		name := fmt.Sprintf("br-%04d", i)
		must(h.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}}))
		masters[i] = up(h, name, fmt.Sprintf("172.%d.%d.1/24", 16+i/256, i%256))
	}
	for i := range containers {
		cmd := exec.Command("busybox", "httpd", "-f", "-p", "80", "-h", "/")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		}
		must(cmd.Start())
		b := i % bridges
		ns, err := netns.GetFromPid(cmd.Process.Pid)
		must(err)
		must(h.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: fmt.Sprintf("v%d", i), MasterIndex: masters[b], Flags: net.FlagUp}, PeerName: "eth0", PeerNamespace: netlink.NsFd(ns),
		}))
		in, err := netlink.NewHandleAt(ns)
		must(err)
		up(in, "lo", "127.0.0.1/8")
		up(in, "eth0", fmt.Sprintf("172.%d.%d.%d/24", 16+b/256, b%256, 2+i/bridges))
		must(in.RouteAdd(&netlink.Route{Gw: net.IPv4(172, byte(16+b/256), byte(b%256), 1)}))
		in.Close()
		must(ns.Close())
	}
}

// listenAll starts processes that listen on a port each, to everybody. With MPTCP, which Go's servers have, each would be two sockets.
func listenAll(t *testing.T, processes int) {
	t.Helper()
	const firstPort = 10_000
	var plain net.ListenConfig
	plain.SetMultipathTCP(false)
	for i := range processes {
		l, err := plain.Listen(t.Context(), "tcp4", fmt.Sprintf(":%d", firstPort+i))
		if err != nil {
			t.Fatal(err)
		}
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("busybox", "sleep", "3600")
		cmd.ExtraFiles = []*os.File{f}
		if err := errors.Join(cmd.Start(), f.Close(), l.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
