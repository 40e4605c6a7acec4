//go:build unix

package judge

import (
	"bytes"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
)

// TestManyLinks: a snapshot with 20,000 links is judged in a time that grows with their number, not with its square.
// Their masters do not exist, so that each is looked for in vain: one by one, that took 18 s.
func TestManyLinks(t *testing.T) {
	s := fixtures.Host()
	for i := range 20_000 {
		s.Network.Links = append(s.Network.Links, snapshot.Link{
			Index: 1000 + i, Name: fmt.Sprintf("l%d", i), Kind: []string{"veth", "bridge"}[i%2], Up: true, Master: 1_000_000 + i,
		})
	}
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Load(&b)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	before := cpu(t)
	if _, err := Judge(t.Context(), s, p, new(Config), "0"); err != nil {
		t.Fatal(err)
	}
	if used := cpu(t) - before; used > 60*time.Second {
		t.Errorf("%v of processor time", used)
	}
}

func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
