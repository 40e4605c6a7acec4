//go:build linux && !ringfence_portable

package watch

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/host"
)

// heard are events as they come.
type heard chan Event

func (h heard) tell(e Event) {
	select {
	case h <- e:
	default:
	}
}

// want waits for an event of a kind with these words.
func (h heard) want(t *testing.T, kind, words string) Event {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case e := <-h:
			if e.Kind == kind && strings.Contains(e.String(), words) {
				return e
			}
		case <-late:
			t.Errorf("no %s %q", kind, words)
			return Event{}
		}
	}
}

func sh(t *testing.T, line string) {
	t.Helper()
	if out, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", line, err, out)
	}
}

// TestHearsTheKernel: transactions of nftables with the process, links, addresses and switches of forwarding.
func TestHearsTheKernel(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	bed.InEmptyNetns(t, func() {
		h := make(heard, 4096)
		for _, s := range sources() {
			if err := s.listen(ctx, buffer, h.tell); err != nil {
				t.Fatal(err)
			}
		}
		sh(t, "nft add table inet x")
		if e := h.want(t, Ruleset, "ruleset generation"); e.PID == 0 || e.Program != "nft" || e.UID != nil && *e.UID != 0 {
			t.Errorf("%+v", e)
		}
		sh(t, "ip link add d0 type veth peer name d1; ip link set d0 up; ip addr add 192.0.2.1/24 dev d0")
		h.want(t, Network, "link d0 changed")
		h.want(t, Network, "address changed")
		sh(t, "ip rule add pref 77 table 5; ip route add 198.51.100.0/24 dev d0; ip link del d0")
		h.want(t, Network, "routing rule changed")
		h.want(t, Network, "link d0 is gone")
		sh(t, "for v in 0 1; do echo $v > /proc/sys/net/ipv4/ip_forward; done")
		h.want(t, Network, "switch of forwarding")
	})
}

// TestSmallBuffer: what the kernel could not keep is told as lost, and the source goes on.
func TestSmallBuffer(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	bed.InEmptyNetns(t, func() {
		h := make(heard, 4096)
		slow := func(e Event) {
			h.tell(e)
			if e.Kind == Ruleset {
				time.Sleep(300 * time.Millisecond)
			}
		}
		if err := sources()["changes of the packet filter"].listen(ctx, 2048, slow); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for i := range 200 {
			fmt.Fprintf(&b, "add table inet x%d\n", i)
		}
		sh(t, "nft add table inet a; printf '"+strings.ReplaceAll(b.String(), "\n", `\n`)+"' | nft -f -; for i in 1 2 3 4 5 6 7 8; do nft add table inet y$i; done")
		h.want(t, Lost, "")
		time.Sleep(500 * time.Millisecond)
		sh(t, "nft add table inet z")
		h.want(t, Ruleset, "calls itself nft")
	})
}

// TestHearsFiles: a file that was read and is written, replaced or gone is told, also if that was before it was listened to; a new name in a
// directory that was listed is; what nobody read is not.
func TestHearsFiles(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	dir, h, f := t.TempDir(), make(heard, 4096), newFiles()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Error(err)
		}
	}
	write("read", "1")
	write("early", "1")
	write("other", "1")
	if err := os.Mkdir(path("listed"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.listen(ctx, h.tell); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	own := host.Local().Noting(f.note)
	for _, name := range []string{"read", "early", "missing"} {
		_, _ = own.ReadFile(path(name))
	}
	if _, err := own.ReadDir(path("listed")); err != nil {
		t.Error(err)
	}
	time.Sleep(20 * time.Millisecond) // the kernel's clock of files goes in ticks
	write("early", "2")
	f.seen(began, h.tell)
	h.want(t, File, "/early changed")
	for len(h) > 0 {
		<-h
	}
	write("other", "2")
	write("read", "2")
	if e := h.want(t, File, ""); e.What != path("read")+" changed" {
		t.Errorf("%+v", e)
	}
	write("new", "1")
	if err := os.Rename(path("new"), path("read")); err != nil {
		t.Error(err)
	}
	h.want(t, File, "/read changed")
	write("missing", "1")
	h.want(t, File, "/missing changed")
	write("listed/a", "1")
	h.want(t, File, "/listed/a changed")
	if err := os.RemoveAll(path("listed")); err != nil {
		t.Error(err)
	}
	h.want(t, File, "/listed is gone")
	f.seen(time.Now(), h.tell)
	if _, still := f.dirs[path("listed")]; still {
		t.Error("it is listened to what is gone")
	}
}

// TestHearsDirectories: a directory that has two paths is heard of by each, and one that was put in the place of another is.
func TestHearsDirectories(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	dir, h, f := t.TempDir(), make(heard, 4096), newFiles()
	path := func(name string) string { return filepath.Join(dir, name) }
	sh(t, "cd "+dir+" && mkdir real other && ln -s real link && touch real/a real/b other/a")
	if err := f.listen(ctx, h.tell); err != nil {
		t.Fatal(err)
	}
	f.note(path("link/a"))
	f.note(path("real/b"))
	f.seen(time.Now(), h.tell)
	sh(t, "echo 1 >"+path("real/a"))
	h.want(t, File, "/link/a changed")
	sh(t, "echo 1 >"+path("link/b"))
	h.want(t, File, "/real/b changed")
	sh(t, "cd "+dir+" && mv real old && mv other real")
	f.seen(time.Now(), h.tell)
	for len(h) > 0 {
		<-h
	}
	sh(t, "echo 1 >"+path("real/b"))
	h.want(t, File, "/real/b changed")
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.dirs) != 2 || len(f.paths) != 1 {
		t.Errorf("%v %v", f.dirs, f.paths)
	}
}

// TestGlance: a socket that listens, and a process that stays, are seen between full reads; what comes and goes at once is not.
func TestGlance(t *testing.T) {
	h := make(heard, 4096)
	own := host.Local()
	first := look(own, nil)
	second := look(own, first)
	bed.InEmptyNetns(t, func() {
		before := listening(own)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Error(err)
			return
		}
		defer l.Close()
		if now := listening(own); now == before {
			t.Errorf("%q", now)
		}
	})
	cmd := exec.Command("sleep", "100")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	third := look(own, second)
	third.tell(own, second, h.tell)
	fourth := look(own, third)
	fourth.tell(own, third, h.tell)
	if e := h.want(t, Process, "calls itself sleep"); e.PID != cmd.Process.Pid {
		t.Errorf("%+v", e)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	look(own, fourth).tell(own, fourth, h.tell)
	h.want(t, Process, "processes ended")
}

// FuzzInotify: events of any form are read within their bounds.
func FuzzInotify(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00abc\x00"))
	f.Add([]byte("\xff\xff\xff\xff\x00\x40\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		x := newFiles()
		x.paths[1], x.dirs["/d"], x.noted["/d/abc"] = []string{"/d"}, 1, true
		x.hear(b, func(Event) {})
	})
}
