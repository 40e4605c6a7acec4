package judge

import (
	"bytes"
	"context"
	"os"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

func BenchmarkLoadPolicies(b *testing.B) {
	for b.Loop() {
		if _, err := Load(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJudge(b *testing.B) {
	text, err := os.ReadFile("../fixtures/base/host.json")
	if err != nil {
		b.Fatal(err)
	}
	s, err := snapshot.Load(bytes.NewReader(text))
	if err != nil {
		b.Fatal(err)
	}
	p, err := Load()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Judge(context.Background(), s, p, new(Config), "0"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkManySockets judges a host with 10,000 listening sockets.
func BenchmarkManySockets(b *testing.B) {
	text, err := os.ReadFile("../fixtures/base/host.json")
	if err != nil {
		b.Fatal(err)
	}
	s, err := snapshot.Load(bytes.NewReader(text))
	if err != nil {
		b.Fatal(err)
	}
	one := s.Listeners.Sockets[0]
	for i := range 10_000 {
		sk := one
		sk.Port, sk.Inode = 20_000+i, uint64(20_000+i)
		s.Listeners.Sockets = append(s.Listeners.Sockets, sk)
	}
	p, err := Load()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Judge(context.Background(), s, p, new(Config), "0"); err != nil {
			b.Fatal(err)
		}
	}
}
