//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestPortsOfGuests: the options of a user-mode network say to which port of its guest a socket of the host leads.
func TestPortsOfGuests(t *testing.T) {
	qemu, passt := "/usr/bin/qemu-system-x86_64", "/usr/bin/passt.avx2"
	for _, c := range []struct{ exe, argv, socket, want string }{
		{qemu, "-netdev user,id=n,hostfwd=tcp::15985-:5985", "tcp 0.0.0.0 15985", "5985"},
		{qemu, "-netdev user,id=n,hostfwd=tcp::15985-:5985", "udp 0.0.0.0 15985", "0"},
		{qemu, "-nic user,model=virtio,hostfwd=tcp::2222-:22,hostfwd=tcp:127.0.0.1:13389-10.0.2.15:3389", "tcp 127.0.0.1 13389", "3389"},
		{qemu, "-nic user,model=virtio,hostfwd=tcp::2222-:22,hostfwd=tcp:127.0.0.1:13389-10.0.2.15:3389", "tcp 0.0.0.0 2222", "22"},
		{qemu, "-nic hostfwd=tcp::2222-:22,type=user", "tcp 0.0.0.0 2222", "22"},
		{qemu, "--netdev user,id=n,hostfwd=udp:127.0.0.1:10623-:623", "udp 127.0.0.1 10623", "623"},
		{qemu, "-net nic -net user,hostfwd=::8022-:22", "tcp 0.0.0.0 8022", "22"},
		{qemu, "-netdev user,id=n,hostfwd=tcp:[::1]:8022-[fec0::2]:22", "tcp ::1 8022", "22"},
		{qemu, "-netdev user,id=n,hostfwd=tcp:127.0.0.1:80-:5985,hostfwd=tcp:10.0.0.1:80-:22", "tcp 10.0.0.1 80", "22"},
		{qemu, "-netdev user,id=n,hostfwd=unix:/run/guest-ssh-:22", "tcp 0.0.0.0 22", "0"},
		{qemu, "-netdev user,id=n,smb=/a,,hostfwd=tcp::1-:22", "tcp 0.0.0.0 1", "0"},
		{qemu, "-netdev tap,id=n,hostfwd=tcp::1-:22", "tcp 0.0.0.0 1", "0"},
		{qemu, `-netdev {"type":"user","id":"n","hostfwd":[{"str":"tcp::15986-:5986"},{"str":"tcp::2222-:22"}]}`, "tcp 0.0.0.0 2222", "22"},
		{qemu, `-netdev {"type":"user"`, "tcp 0.0.0.0 2222", "0"},
		{qemu, "-readconfig /m.cfg", "tcp 0.0.0.0 2222", "0 in part"},
		{"/usr/bin/socat", "-netdev user,id=n,hostfwd=tcp::15985-:5985", "tcp 0.0.0.0 15985", "0"},
		{passt, "-t 15985:5985 --socket /s", "tcp :: 15985", "5985"},
		{passt, "--tcp-ports=0.0.0.0/2022:22", "tcp 0.0.0.0 2022", "22"},
		{passt, "--tcp-ports 127.0.0.1%lo/2022:22 -u 10623:623", "udp 0.0.0.0 10623", "623"},
		{passt, "-t22,80,2000-2005:20-25", "tcp 0.0.0.0 2002", "22"},
		{passt, "-t 22-80:5960-6018", "tcp 0.0.0.0 47", "5985"},
		{passt, "-t 3000-3010,~3005", "tcp 0.0.0.0 3001", "3001"},
		{passt, "-t ~20000-20010", "tcp 0.0.0.0 5985", "5985"},
		{passt, "-t all -u none", "tcp 0.0.0.0 445", "445"},
		{passt, "-t none", "tcp 0.0.0.0 445", "0"},
		{passt, "-t 60000-65535:65535", "tcp 0.0.0.0 60001", "0"},
		{"/usr/bin/pasta", "-t 15985:5985 -- sh -t 1:22", "tcp 0.0.0.0 1", "0"},
		{"/usr/libexec/podman/gvproxy", "-mtu 1500 -ssh-port 43211 -listen unix:///s", "tcp 127.0.0.1 43211", "22"},
		{"/usr/libexec/podman/gvproxy", "-ssh-port=-1", "tcp 127.0.0.1 2222", "0"},
	} {
		p := &process{argv: append([]string{"x"}, strings.Fields(c.argv)...)}
		p.Exe = c.exe
		list, whole := guestPorts(p)
		f := strings.Fields(c.socket)
		sk := &snapshot.Socket{Proto: f[0], Addr: f[1]}
		_, _ = fmt.Sscan(f[2], &sk.Port)
		got := fmt.Sprint(guestPortOf(list, sk))
		if !whole {
			got += " in part"
		}
		if got != c.want {
			t.Errorf("%s %s: %s leads to port %s, want %s", c.exe, c.argv, c.socket, got, c.want)
		}
	}
	many := &process{argv: []string{"passt", "-t", strings.Repeat("1:22,", 5000)}}
	many.Exe = passt
	if list, whole := guestPorts(many); len(list) > maxGuestPorts || whole {
		t.Errorf("%d forwards, %v", len(list), whole)
	}
}

// TestUnreadPortsOfGuests: what a program of root's does not tell of its guest is a gap, what a user's does not is none.
func TestUnreadPortsOfGuests(t *testing.T) {
	for uid, want := range map[int]int{0: 1, 1001: 0} {
		p := &process{argv: []string{"kvm", "-readconfig", "/m.cfg"}}
		p.Exe, p.UID, p.PID, p.ExeWord = "/usr/bin/kvm", uid, 7, snapshot.Word{By: snapshot.ByRoot}
		out := new(Outcome)
		leadToGuests(&snapshot.Listeners{}, []*process{p}, out)
		if len(out.reasons) != want {
			t.Errorf("uid %d: %q", uid, out.reasons)
		}
	}
	sec := &snapshot.Listeners{Sockets: []snapshot.Socket{{Proto: "tcp", Addr: "0.0.0.0", Port: 15985, Owners: []snapshot.Owner{{PID: 7}}}}}
	p := &process{argv: []string{"passt", "-t", "15985:5985"}}
	p.Exe, p.PID = "/usr/bin/passt", 7
	leadToGuests(sec, []*process{p}, new(Outcome))
	if got := []int{sec.Sockets[0].GuestPort}; !slices.Equal(got, []int{5985}) {
		t.Error(got)
	}
}

// TestPortsOfMonitors: a monitor has QEMU pass on what no option tells (hostfwd_add): a socket that none explains is a gap where there is such a network.
func TestPortsOfMonitors(t *testing.T) {
	for argv, want := range map[string]int{
		"-netdev user,id=n":                1,
		`-netdev {"type":"user","id":"n"}`: 1,
		"-m 1G":                            1, // the network that is there without an option
		"-nic none":                        0,
		"-nodefaults -netdev tap,id=n":     0,
		"-netdev user,id=n,hostfwd=tcp::15985-:5985":    0,
		"-nic user -vnc :10085":                         0,
		"-nic user -monitor tcp:127.0.0.1:15985,server": 0,
		"-nic user -chardev socket,id=c,port=15985":     0,
	} {
		p := &process{argv: append([]string{"kvm"}, strings.Fields(argv)...)}
		p.Exe, p.PID, p.ExeWord = "/usr/bin/kvm", 7, snapshot.Word{By: snapshot.ByRoot}
		out := new(Outcome)
		leadToGuests(&snapshot.Listeners{Sockets: []snapshot.Socket{
			{Proto: "tcp", Addr: "0.0.0.0", Port: 15985, Owners: []snapshot.Owner{{PID: 7}}}, {Proto: "udp", Addr: "0.0.0.0", Port: 40001, Owners: []snapshot.Owner{{PID: 7}}},
		}}, []*process{p}, out)
		if len(out.reasons) != want {
			t.Errorf("%s: %q", argv, out.reasons)
		}
	}
}
