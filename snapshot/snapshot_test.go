package snapshot

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/ruleset"
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

// small are snapshots that are read: one where nothing was seen, and one where a little was.
func small(f *testing.F) (texts [][]byte) {
	s := &Snapshot{Schema: Schema}
	for _, name := range Collectors() {
		s.Coverage = append(s.Coverage, Coverage{Collector: name, Status: Error, Reasons: []string{"no"}})
	}
	add := func() {
		b, err := json.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		var out bytes.Buffer
		if err := s.Write(&out); err != nil {
			f.Fatal(err)
		}
		if _, err := Load(bytes.NewReader(out.Bytes())); err != nil {
			f.Fatal(err)
		}
		texts = append(texts, b, out.Bytes())
	}
	add()
	accept := ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}}
	dynset := ruleset.Expr{Name: "dynset", Extra: &ruleset.Extra{Dynset: &ruleset.Dynset{Set: "s", Op: ruleset.DynsetAdd}}}
	dynset.Extra.Dynset.Exprs = []ruleset.Expr{{Name: "counter", Plain: true}}
	mark := uint32(1)
	s.Network = Network{
		Links:      []Link{{Index: 1, Name: "lo", Kind: "device", Up: true, Loopback: true, Addrs: []string{"127.0.0.1/8"}}},
		Routes:     []Route{{Family: 4, Type: "local", Dst: "127.0.0.0/8", Oifs: []int{1}}},
		Rules:      []PolicyRule{{Family: 4, Table: 254, Action: "lookup", Sport: [2]int{1, 2}}},
		Sysctls:    map[string]Fact{"net/ipv4/ip_forward": {State: Present, Value: "0"}},
		Namespaces: []Netns{{Inode: 4026531840, Host: true}},
	}
	s.Listeners = Listeners{
		Families: []SocketFamily{{Netns: 4026531840, Proto: "tcp", State: OK}},
		Sockets: []Socket{{
			Netns: 4026531840, Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 22, Mark: &mark, OwnerState: "seen", Owners: []Owner{{PID: 1, Comm: "sshd"}},
		}},
	}
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{
		Family: "inet", Name: "t", Sets: []ruleset.Set{{Name: "s", Elements: []ruleset.Element{{Key: ruleset.Hex{1, 2}}}}},
		Chains: []ruleset.Chain{{
			Name: "c", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Drop},
			Rules: []ruleset.Rule{{Handle: 1, Exprs: []ruleset.Expr{dynset, accept}}},
		}},
	}}}
	add()
	return texts
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"schema":"ringfence.snapshot/v1","listeners":{"sockets":[{"port":22}]}}`))
	for _, text := range small(f) {
		f.Add(text)
	}
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
