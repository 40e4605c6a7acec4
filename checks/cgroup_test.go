//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// TestEqualCgroupsAreReadOnce: what a text of /proc/PID/cgroup says is kept, within its bounds, and is what reading it anew says.
func TestEqualCgroupsAreReadOnce(t *testing.T) {
	s := &Scan{Host: host.Local()}
	c := &cgroups{owners: map[string][]int{}, places: map[string]cgroupPlace{}}
	text := []byte("9:name=systemd:/system.slice/docker-" + fmt.Sprintf("%064x", 10) + ".scope\n0::/system.slice/x.service\n")
	first := c.placeOf(s, text)
	if first.path == "" || first.unified != "/system.slice/x.service" || first.id.runtime != "docker" || first.id != c.identify(s, text) {
		t.Errorf("%+v", first)
	}
	c.owners = map[string][]int{"name=systemd:" + first.path: {0, 1001, 1001}}
	if again := c.placeOf(s, text); again != first {
		t.Errorf("the second time it is %+v, want %+v", again, first)
	}
	for i := range maxPlaces + 10 {
		if p := c.placeOf(s, fmt.Appendf(nil, "0::/a%d\n", i)); p.path != fmt.Sprintf("/a%d", i) {
			t.Fatalf("%d: %+v", i, p)
		}
	}
	c.placeOf(s, fmt.Appendf(nil, "0::/%0*d\n", maxPlaceText, 1))
	if len(c.places) != maxPlaces {
		t.Errorf("%d are kept", len(c.places))
	}
}

// TestListedSocketsAreNoVsock: a socket that the kernel listed is not asked for its protocol, and one that it did not list is.
func TestListedSocketsAreNoVsock(t *testing.T) {
	fd, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		t.Skip("the kernel lacks: vsock sockets (CONFIG_VSOCKETS)")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	s := new(Scan)
	s.sockets.Do(func() {})
	s.inodes, s.fds = map[uint64][]int{st.Ino: {1}}, map[uint64]string{st.Ino: fmt.Sprintf("/proc/self/fd/%d", fd)}
	for _, c := range []struct {
		listed uint64
		want   int
	}{{st.Ino + 1, 1}, {st.Ino, 0}} {
		if got := s.vsockHolders(7, []snapshot.Socket{{Proto: "tcp", Inode: c.listed}}); len(got) != c.want {
			t.Errorf("with %d listed, of %d: %+v", c.listed, st.Ino, got)
		}
	}
}
