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
