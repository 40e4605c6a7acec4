package judge

import (
	"testing"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestAServiceOfAGuest: a socket that leads to a guest is what the guest has at its port, and not what its own number says.
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
