package judge

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestDebuggersOfOthers: a debugger, a browser that is remote controlled, and a gateway that asks for nothing are what somebody else may get their user by;
// one that asks is not, and neither is another socket of the debugger's program.
func TestDebuggersOfOthers(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(s *snapshot.Snapshot)
		want bool
	}{
		"a debugger": {func(s *snapshot.Snapshot) {
			s.Management.Servers = []snapshot.ManagedServer{{Name: "Delve", Role: snapshot.RoleDebug, PID: 77}}
		}, true},
		"another port": {func(s *snapshot.Snapshot) {
			s.Management.Servers = []snapshot.ManagedServer{{Name: "Delve", Role: snapshot.RoleDebug, PID: 77, Ports: []int{1}}}
		}, false},
		"a browser": {func(s *snapshot.Snapshot) {
			s.Agents.Instances = []snapshot.Agent{{Title: "Chrome remote debugging", Kind: "browser", PID: 77, DefaultAuth: "none"}}
		}, true},
		"a gateway that asks": {func(s *snapshot.Snapshot) {
			s.Agents.Instances = []snapshot.Agent{{Title: "Gateway", Kind: "gateway", PID: 77, DefaultAuth: "none", Auth: snapshot.Fact{State: snapshot.Present, Value: "token"}}}
		}, false},
		"none": {func(*snapshot.Snapshot) {}, false},
	} {
		s := agentHost(snapshot.Socket{Addr: "127.0.0.1", Port: 9222, UID: 1000, Owners: []snapshot.Owner{{PID: 77, Comm: "x"}}})
		s.Processes.List = append(s.Processes.List, snapshot.Process{PID: 77, UID: 1000, Comm: "x"})
		s.Agents.Instances = nil
		c.do(s)
		b := newBuilder(t.Context(), s, zones.Config{}, exposure.Limits{})
		b.services()
		var found []power.API
		for _, a := range b.apis() {
			if strings.Contains(a.Name, ":9222") && a.UID == 1000 && a.Unsure != "" {
				found = append(found, a)
			}
		}
		if (len(found) == 1) != c.want {
			t.Errorf("%s: %+v", name, found)
		}
	}
}
