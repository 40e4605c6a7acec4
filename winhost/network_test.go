package winhost

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestManyListeners: more sockets than are kept are a gap, those on ports that the system gives out are left out first, and no snapshot is refused for them.
func TestManyListeners(t *testing.T) {
	s := &Source{}
	list := make([]snapshot.WindowsListener, 0, maxListeners+3)
	for i := range maxListeners {
		list = append(list, snapshot.WindowsListener{Proto: "udp", Port: firstGiven + i%1000})
	}
	list = append(list, snapshot.WindowsListener{Proto: "tcp", Port: 5985}, snapshot.WindowsListener{Proto: "tcp", Port: 445}, snapshot.WindowsListener{Proto: "udp", Port: 623})
	kept := s.bounded(list)
	if len(kept) != maxListeners || kept[0].Port != 5985 || kept[2].Port != 623 {
		t.Errorf("%d, %+v", len(kept), kept[:3])
	}
	if notes := strings.Join(s.Notes["listeners"], " "); !strings.Contains(notes, "of which 20000 are kept") {
		t.Errorf("%q", notes)
	}
	s = &Source{}
	if kept := s.bounded(list[:10]); len(kept) != 10 || len(s.Notes) != 0 {
		t.Errorf("%d, %v", len(kept), s.Notes)
	}
}
