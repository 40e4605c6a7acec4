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
