package reach

import (
	"reflect"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestSwitchWaysAreFoundOnce: what is kept of the ways over a bridge is what the snapshot tells, each time that it is asked for.
func TestSwitchWaysAreFoundOnce(t *testing.T) {
	s := new(snapshot.Snapshot)
	s.Network.Links = []snapshot.Link{
		{Index: 1, Name: "br0", Kind: "bridge", Up: true},
		{Index: 2, Name: "a", Master: 1, Up: true},
		{Index: 3, Name: "b", Master: 1, Up: true},
		{Index: 4, Name: "c", Master: 1},
		{Index: 5, Name: "eth0", Up: true},
	}
	s.Index()
	m := NewModel(s)
	for range 2 {
		for i := range s.Network.Links {
			l := &s.Network.Links[i]
			if got, want := m.switchWays(l), s.Network.Switched(l); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v, not %v", l.Name, got, want)
			}
		}
	}
	if len(m.switchWays(s.Network.Link(2))) != 1 {
		t.Error("no way from port to port")
	}
}
