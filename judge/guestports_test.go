package judge

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestAServiceOfAGuest: a socket that leads to a guest of root's is what the guest has at its port, and not what its own number says.
func TestAServiceOfAGuest(t *testing.T) {
	for name, c := range map[string]struct {
		proto             string
		port, guest, uid  int
		class, key, gives string
	}{
		"WinRM":           {"tcp", 15985, 5985, 0, "winrm", "tcp 0.0.0.0:15985 (WinRM of a guest of qemu)", ofGuest},
		"SSH":             {"tcp", 2222, 22, 0, "ssh", "tcp 0.0.0.0:2222 (SSH of a guest of qemu)", ofGuest},
		"IPMI":            {"udp", 10623, 623, 0, "ipmi", "udp 0.0.0.0:10623 (IPMI of a guest of qemu)", ofGuest},
		"a web site":      {"tcp", 5985, 80, 0, "other", "tcp 0.0.0.0:5985 (qemu)", ofGuest},
		"at the port 22":  {"tcp", 22, 8080, 0, "other", "tcp 0.0.0.0:22 (qemu)", ofGuest},
		"a user's guest":  {"tcp", 2222, 22, 1001, "ssh", "tcp 0.0.0.0:2222 (SSH of a guest of qemu)", "uid 1001"},
		"not told":        {"tcp", 15985, 0, 0, "other", "tcp 0.0.0.0:15985 (qemu)", rootOnHost},
		"a runtime in it": {"tcp", 12375, 2375, 0, classRuntime, "tcp 0.0.0.0:12375 (Docker of a guest of qemu)", ofGuest},
	} {
		s := fixtures.Host()
		s.Processes.List = append(s.Processes.List, snapshot.Process{
			PID: 77, UID: c.uid, Comm: "qemu", Exe: "/usr/bin/qemu-system-x86_64", ExeWord: snapshot.Word{By: snapshot.ByRoot}, NS: s.Processes.Init,
		})
		s.Listeners.Sockets = []snapshot.Socket{{
			Netns: s.Network.HostNetns(), Proto: c.proto, Family: 4, Addr: "0.0.0.0", Port: c.port, UID: c.uid, GuestPort: c.guest,
			OwnerState: snapshot.OwnersSeen, Owners: []snapshot.Owner{{PID: 77, Comm: "qemu"}},
		}}
		svc := newBuilder(t.Context(), s, zones.Config{}, exposure.Limits{}).service(&s.Listeners.Sockets[0])
		if svc.Class != c.class || svc.Key != c.key || svc.Gives != c.gives {
			t.Errorf("%s: %s, %s, gives %s", name, svc.Class, svc.Key, svc.Gives)
		}
	}
}

// TestAGuestTakesNoFindingAway: the options of a process which is not root's own, from a file of root's, add what a guest may serve, and the port of
// the host counts beside it.
func TestAGuestTakesNoFindingAway(t *testing.T) {
	root, user := snapshot.Word{By: snapshot.ByRoot}, snapshot.Word{By: snapshot.ByUID, UID: 1001}
	qemu := "/usr/bin/qemu-system-x86_64"
	for name, c := range map[string]struct {
		uid, port, guest int
		exe              string
		word             snapshot.Word
		want             string
	}{
		"a program of a user":        {1001, 5985, 80, "/home/u/qemu-x", user, "winrm 0 uid 1001"},
		"installed, for a user":      {1001, 5985, 80, qemu, root, "winrm 0 uid 1001"},
		"of a user, run by root":     {0, 2375, 80, "/home/u/qemu-x", user, "runtime-api 0 root on the host"},
		"its file is not seen":       {0, 2375, 80, "", snapshot.Word{}, "runtime-api 0 root on the host"},
		"not where packages are":     {0, 22, 80, "/root/qemu-x", root, "ssh 0 root on the host"},
		"the same in the guest":      {1001, 22, 22, "/home/u/qemu-x", user, "ssh 0 uid 1001"},
		"another one in the guest":   {1001, 5985, 22, "/home/u/qemu-x", user, "winrm 0 uid 1001, ssh 22 uid 1001"},
		"that one gives the guest":   {0, 5985, 22, "/home/u/qemu-x", user, "winrm 0 root on the host, ssh 22 a guest"},
		"in the guest alone":         {1001, 2222, 22, "/home/u/qemu-x", user, "ssh 22 uid 1001"},
		"root's own, to a web site":  {0, 5985, 80, qemu, root, "other 80 a guest"},
		"root's own, to an SSH port": {0, 5985, 22, qemu, root, "ssh 22 a guest"},
	} {
		s := fixtures.Host()
		s.Processes.List = append(s.Processes.List, snapshot.Process{PID: 77, UID: c.uid, Comm: "qemu", Exe: c.exe, ExeWord: c.word, NS: s.Processes.Init})
		s.Listeners.Sockets = []snapshot.Socket{{
			Netns: s.Network.HostNetns(), Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: c.port, UID: c.uid, GuestPort: c.guest,
			OwnerState: snapshot.OwnersSeen, Owners: []snapshot.Owner{{PID: 77, Comm: "qemu"}},
		}}
		var got []string
		for _, svc := range build(t.Context(), s, zones.Config{}).doc.Services {
			got = append(got, fmt.Sprintf("%s %d %s", svc.Class, svc.GuestPort, svc.Gives))
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s: %s, want %s", name, text, c.want)
		}
	}
}

// TestADesktopOfAGuest: RDP of a guest is a remote desktop, if the guest serves it, and gives nothing of the host.
func TestADesktopOfAGuest(t *testing.T) {
	s := fixtures.Host()
	s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{
		Netns: s.Network.HostNetns(), Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 13389, GuestPort: 3389,
		OwnerState: snapshot.OwnersSeen, Owners: []snapshot.Owner{{PID: 77, Comm: "qemu"}},
	})
	for _, m := range build(t.Context(), s, zones.Config{}).doc.Managed {
		if m.Key == "RDP of a guest" && m.Role == "desktop" && !m.Host && len(m.Services) == 1 && m.Services[0].GuestPort == 3389 {
			return
		}
	}
	t.Error("the desktop of the guest is not there")
}

// TestADesktopBesideAPort: a socket whose own port is known for something leads to the desktop of a guest as well.
func TestADesktopBesideAPort(t *testing.T) {
	s := fixtures.Host()
	s.Listeners.Sockets = []snapshot.Socket{{
		Netns: s.Network.HostNetns(), Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 5985, GuestPort: 3389,
		OwnerState: snapshot.OwnersSeen, Owners: []snapshot.Owner{{PID: 77, Comm: "qemu"}},
	}}
	doc := build(t.Context(), s, zones.Config{}).doc
	if len(doc.Services) != 1 || doc.Services[0].Class != "winrm" {
		t.Errorf("%+v", doc.Services)
	}
	if !slices.ContainsFunc(doc.Managed, func(m DocManaged) bool { return m.Key == "RDP of a guest" }) {
		t.Error("the desktop of the guest is not there")
	}
}
