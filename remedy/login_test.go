package remedy

import (
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestLoginThatIsSentOn: who logs in by a multiplexer keeps the port that it listens on, and that of the server behind it.
func TestLoginThatIsSentOn(t *testing.T) {
	s := &snapshot.Snapshot{}
	for _, port := range []int{22, 443} {
		s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{Proto: "tcp", Addr: "0.0.0.0", Port: port})
	}
	ses := &snapshot.SSHSession{Local: "127.0.0.1:22", Remote: "203.0.113.9:57738", Through: "203.0.113.1:443", LoggedIn: snapshot.Yes}
	ports := map[int]bool{}
	for _, f := range sessionKept(s, ses) {
		ports[f.Port] = f.Why == keptSession && f.Source.String() == "203.0.113.9/32"
	}
	if len(ports) != 2 || !ports[22] || !ports[443] {
		t.Error(ports)
	}
	ses.LoggedIn = ""
	if list := sessionKept(s, ses); list != nil {
		t.Error("of a login that cannot be told", list)
	}
}

// TestClientOfAVPNHearsItsServer: its socket is connected, and what the server sends first is let in, from there alone.
func TestClientOfAVPNHearsItsServer(t *testing.T) {
	s := &snapshot.Snapshot{}
	s.Network.Links = []snapshot.Link{{Name: "tun0", Kind: "tun", Up: true}}
	p := snapshot.Process{PID: 9, Comm: "vpn", Exe: "/usr/sbin/vpn", ExeWord: snapshot.Word{By: snapshot.ByRoot}, Tunnels: []string{"tun0"}}
	p.Peers = []snapshot.Peer{{Local: "203.0.113.1:50000", Remote: "198.51.100.7:1194"}, {Local: "203.0.113.1:50001", Remote: "198.51.100.8:53"}}
	s.Processes.List = []snapshot.Process{p}
	list := hears(s)
	if len(list) != 1 || list[0].Source.String() != "198.51.100.7/32" || list[0].Port != 50000 || list[0].Proto != "udp" {
		t.Errorf("%+v", list)
	}
	s.Processes.List[0].UID, s.Processes.List[0].ExeWord = 1000, snapshot.Word{By: "uid 1000"}
	s.Processes.List[0].Peers[0].UID = 1000
	if list := hears(s); len(list) > 0 {
		t.Error("of a user", list)
	}
}
