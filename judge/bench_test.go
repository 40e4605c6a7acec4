package judge

import (
	"context"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
)

func BenchmarkLoadPolicies(b *testing.B) {
	for b.Loop() {
		if _, err := Load(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJudge(b *testing.B) {
	s := fixtures.Host()
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
	s := fixtures.Host()
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
