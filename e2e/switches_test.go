//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/snapshot"
)

// TestSwitchesAgreeWithFiles holds what netlink tells of interfaces against the files of the same switches: an interface has another value
// than usual in each of them.
func TestSwitchesAgreeWithFiles(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	unusual := map[string]string{
		"ipv4/forwarding": "1", "ipv4/rp_filter": "2", "ipv4/route_localnet": "1", "ipv4/accept_local": "1", "ipv4/accept_source_route": "1",
		"ipv4/accept_redirects": "0", "ipv4/send_redirects": "0", "ipv4/arp_ignore": "3", "ipv4/src_valid_mark": "1", "ipv4/mc_forwarding": "1", "ipv4/disable_policy": "1", "ipv6/disable_policy": "1",
		"ipv6/forwarding": "1", "ipv6/force_forwarding": "1", "ipv6/disable_ipv6": "1", "ipv6/accept_ra": "2", "ipv6/mc_forwarding": "1",
	}
	bed.Shell(t, "echo 0 >/proc/sys/net/ipv4/conf/default/rp_filter; echo 1 >/proc/sys/net/ipv4/conf/default/accept_redirects")
	links := map[string]string{}
	for key, value := range unusual {
		family, k, _ := strings.Cut(key, "/")
		name := fmt.Sprintf("v%d", len(links))
		links[key] = name
		bed.Shell(t, "ip link add %s mtu 1500 type veth peer name peer%s && ip link set %s up", name, name, name)
		file := fmt.Sprintf("/proc/sys/net/%s/conf/%s/%s", family, name, k)
		switch {
		case key == "ipv4/mc_forwarding":
			routesMulticast4(t, name)
		case key == "ipv6/mc_forwarding":
			routesMulticast6(t, name)
		default:
			if err := os.WriteFile(file, []byte(value), 0); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
	}
	// An interface with too small an MTU for IPv6 has no switches of it.
	bed.Shell(t, "ip link add small type veth peer name peersmall && ip link set small up mtu 600")
	out, err := exec.Command(bed.Program(t), "collect", "-q").Output()
	if err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Load(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("/proc/sys/net/ipv[46]/conf/*/*")
	if err != nil {
		t.Fatal(err)
	}
	exist := map[string]bool{}
	for _, f := range files {
		exist[strings.TrimPrefix(f, "/proc/sys/")] = true
	}
	for _, l := range s.Network.Links {
		for key := range unusual {
			family, k, _ := strings.Cut(key, "/")
			name := fmt.Sprintf("net/%s/conf/%s/%s", family, l.Name, k)
			want := snapshot.Fact{State: snapshot.Absent}
			if exist[name] {
				b, err := os.ReadFile("/proc/sys/" + name)
				if err != nil {
					t.Fatal(err)
				}
				want = snapshot.Fact{State: snapshot.Present, Value: strings.TrimSpace(string(b))}
			}
			if got := s.Network.Sysctls[name]; got != want {
				t.Errorf("%s: want %+v, got %+v", name, want, got)
			}
			if links[key] == l.Name && exist[name] && want.Value != unusual[key] {
				t.Errorf("%s is %s: it was not set", name, want.Value)
			}
		}
	}
}

// routesMulticast4 makes the kernel route multicast of an interface (MRT_INIT, MRT_ADD_VIF, include/uapi/linux/mroute.h) until the test
// ends.
func routesMulticast4(t *testing.T, name string) {
	t.Helper()
	const mrtInit, mrtAddVif, byIndex = 200, 202, 8
	type vifctl struct {
		_            uint16 // its number: the first
		flags, limit uint8
		_            uint32
		index        int32
		_            [4]byte
	}
	index, _ := interfaceIndex(t, name)
	routesMulticast(t, unix.AF_INET, unix.IPPROTO_IGMP, unix.IPPROTO_IP, mrtInit, mrtAddVif, bytesOf(&vifctl{flags: byIndex, limit: 1, index: index}))
}

// routesMulticast6 is the same with IPv6 (MRT6_INIT, MRT6_ADD_MIF, include/uapi/linux/mroute6.h).
func routesMulticast6(t *testing.T, name string) {
	t.Helper()
	const mrtInit, mrtAddMif = 200, 202
	type mif6ctl struct {
		_     uint16 // its number: the first
		_     uint8  // no flags
		limit uint8
		index uint16
		_     uint16
		_     uint32
	}
	_, index := interfaceIndex(t, name)
	routesMulticast(t, unix.AF_INET6, unix.IPPROTO_ICMPV6, unix.IPPROTO_IPV6, mrtInit, mrtAddMif, bytesOf(&mif6ctl{limit: 1, index: index}))
}

func bytesOf[T any](v *T) string {
	return string(unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v)))
}

func interfaceIndex(t *testing.T, name string) (int32, uint16) {
	t.Helper()
	i, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return int32(i.Index), uint16(i.Index)
}

func routesMulticast(t *testing.T, family, proto, level, begin, add int, what string) {
	t.Helper()
	fd, err := unix.Socket(family, unix.SOCK_RAW, proto)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	switch err := unix.SetsockoptInt(fd, level, begin, 1); err {
	case nil:
	case unix.ENOPROTOOPT, unix.EOPNOTSUPP:
		t.Skip("the kernel lacks: routing of multicast (CONFIG_IP_MROUTE, CONFIG_IPV6_MROUTE)")
	default:
		t.Fatal(err)
	}
	if err := unix.SetsockoptString(fd, level, add, what); err != nil {
		t.Fatal(err)
	}
}
