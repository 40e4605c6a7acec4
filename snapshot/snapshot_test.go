package snapshot

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// endless is a file that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestLoadRefuses(t *testing.T) {
	if _, err := Load(io.MultiReader(strings.NewReader("{"), endless{})); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an endless snapshot: %v", err)
	}
	for _, text := range []string{"", "{", "[]", `{"schema":"x"}`, `{"schema":"ringfence.snapshot/v1","x":1}`, "null"} {
		if _, err := Load(strings.NewReader(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

// What takes many times its size in memory is refused before it is built.
func TestLoadBoundsElements(t *testing.T) {
	text := `{"schema":"ringfence.snapshot/v1","nftables":{"ruleset":{"tables":[{"sets":[{"elements":[` +
		strings.Repeat(`{"key":"aa"},`, MaxElements) + `{"key":"aa"}]}]}]}}}`
	if _, err := Load(strings.NewReader(text)); !errors.Is(err, ErrTooMany) {
		t.Errorf("%d elements: %v", MaxElements+1, err)
	}
}

func TestPart(t *testing.T) {
	c := Coverage{Status: Partial, Parts: []string{"vsock"}}
	if c.Part("ip") != OK || c.Part("vsock") != Partial || c.Part("") != Partial {
		t.Errorf("%s %s %s", c.Part("ip"), c.Part("vsock"), c.Part(""))
	}
	if (Coverage{Status: Denied, Parts: []string{"vsock"}}).Part("ip") != Denied {
		t.Error("a refused section has a seen part")
	}
	if (&Snapshot{}).Section("ssh").Status != Error {
		t.Error("a collector that never ran is no error")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"schema":"ringfence.snapshot/v1","listeners":{"sockets":[{"port":22}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Load(bytes.NewReader(b))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := s.Write(&out); err != nil {
			t.Fatal(err)
		}
		again, err := Load(&out)
		if err != nil {
			t.Fatal(err)
		}
		d1, _ := s.Digest()
		d2, _ := again.Digest()
		if d1 != d2 {
			t.Errorf("written and read back it is another snapshot")
		}
	})
}

// Link answers the same with an index, and an index of links that are others by now is not asked.
func TestLinkIndex(t *testing.T) {
	s := &Snapshot{Network: Network{Links: []Link{{Index: 3, Name: "a"}, {Index: 7, Name: "b"}}}}
	s.Index()
	if l := s.Network.Link(7); l == nil || l.Name != "b" || s.Network.Link(4) != nil {
		t.Errorf("link 7 is %v, link 4 is %v", l, s.Network.Link(4))
	}
	copied := *s
	copied.Network.Links = []Link{{Index: 4, Name: "c"}, {Index: 3, Name: "d"}}
	if l := copied.Network.Link(4); l == nil || l.Name != "c" {
		t.Errorf("link 4 of other links is %v", l)
	}
	s.Network.Links = append(s.Network.Links, Link{Index: 9, Name: "e"})
	if l := s.Network.Link(9); l == nil || l.Name != "e" {
		t.Errorf("a link that was added is %v", l)
	}
}
