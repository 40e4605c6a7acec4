//go:build linux && !ringfence_portable

package checks

import (
	"encoding/binary"
	"errors"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// TestLinksThatAreBeingMade: the kernel says EAGAIN of a link that has no number yet, and is asked again, but not for ever.
func TestLinksThatAreBeingMade(t *testing.T) {
	for made, want := range map[int]error{1: nil, bpfTries: nil, bpfTries + 1: unix.EAGAIN} {
		asked := 0
		if _, err := tried(func() (int, error) {
			if asked++; asked < made {
				return 0, unix.EAGAIN
			}
			return 3, nil
		}); !errors.Is(err, want) {
			t.Errorf("made after %d: %v after %d", made, err, asked)
		}
	}
}

// TestProgramsThatAreNotTold: what bpf(2) refuses is not known. It is not passed over as if there were no programs.
func TestProgramsThatAreNotTold(t *testing.T) {
	if unix.Getuid() != 0 {
		t.Fatal("needs root")
	}
	s := newScan(host.Local())
	links := []snapshot.Link{{Index: 1, Name: "lo"}}
	var told, refused []snapshot.Program
	told = s.netPrograms(nil)
	linkPrograms(links)
	for _, p := range told {
		if p.Unread != "" {
			t.Errorf("root is not told: %+v", p)
		}
	}
	if links[0].TCUnread != "" {
		t.Errorf("root is not told: %s", links[0].TCUnread)
	}
	own := s.cgroupPrograms()
	defer own.close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // it ends with the goroutine, and its lost capabilities with it
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			t.Error(err)
			return
		}
		s := newScan(host.Local())
		refused = s.netPrograms(nil)
		linkPrograms(links)
		if own.mount != nil {
			if got := own.of(1); len(got) != 1 {
				t.Errorf("programs of a cgroup: %q", got)
			}
		}
	}()
	<-done
	out := new(Outcome)
	untold(&snapshot.Network{Links: links}, out)
	if links[0].TCUnread == "" || out.status != snapshot.Partial {
		t.Errorf("programs of an interface: %+v, %s", links[0], out.status)
	}
	kinds := map[string]bool{}
	for _, p := range refused {
		kinds[p.Kind] = kinds[p.Kind] || p.Unread != ""
	}
	if !kinds[snapshot.ProgramSkLookup] || !kinds[snapshot.ProgramNetfilter] {
		t.Errorf("programs of a namespace: %+v", refused)
	}
}

// TestAnswersOfBPFAreNotOnAStack: a stack that grows on the way to bpf(2) moves, and the kernel writes to an address that it was given as a
// number. Each depth is one at which a stack may grow.
func TestAnswersOfBPFAreNotOnAStack(t *testing.T) {
	const mapCreate, array = 0, 2 // BPF_MAP_CREATE, BPF_MAP_TYPE_ARRAY
	ne := binary.NativeEndian
	var attr [64]byte
	for i, n := range []uint32{array, 4, 4, 1} { // type, and the sizes of a key, of a value, and of the map
		ne.PutUint32(attr[4*i:], n)
	}
	fd, err := bpf(mapCreate, &attr)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for depth := range 1000 {
		got := make(chan uint32)
		go func() {
			deeper(depth, func() {
				var info [80]byte
				objectInfo(fd, info[:])
				got <- ne.Uint32(info[4:]) // its id
			})
		}()
		if <-got == 0 {
			t.Errorf("at a depth of %d calls nothing was answered", depth)
		}
	}
}

//go:noinline
func deeper(n int, f func()) int {
	var pad [32]byte
	pad[n%32] = byte(n)
	if n == 0 {
		f()
		return 0
	}
	return deeper(n-1, f) + int(pad[n%32])
}

// TestCgroupsThatCannotBeOpened: where a hierarchy is mounted that cannot be opened, or mounts cannot be read, programs may be on a cgroup.
func TestCgroupsThatCannotBeOpened(t *testing.T) {
	for name, c := range map[string]struct {
		mounts string
		want   int
	}{
		"none is mounted":     {"tmpfs /tmp tmpfs rw 0 0\n", 0},
		"one that is refused": {"cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", 1},
		"mounts are not read": {"", 1},
	} {
		root := t.TempDir()
		if c.mounts != "" {
			writeFile(t, filepath.Join(root, "proc/thread-self/mounts"), c.mounts)
		}
		p := newScan(host.At(root)).cgroupPrograms()
		if got := p.of(1); len(got) != c.want {
			t.Errorf("%s: %q", name, got)
		}
		if got := p.of(0); len(got) != 0 {
			t.Errorf("%s, without a cgroup: %q", name, got)
		}
		p.close()
	}
}
