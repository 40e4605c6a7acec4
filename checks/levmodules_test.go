//go:build linux && !ringfence_portable

package checks

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"
)

// TestNamedPaths compares the paths that a script names with those of the expression that says what one is.
func TestNamedPaths(t *testing.T) {
	means := regexp.MustCompile("[\"'`(/ ](/[A-Za-z0-9_.+-]+(?:/[A-Za-z0-9_.+-]+)+)")
	const signs = "//// \"'`(az._+-09ZA:\n\xc3"
	paths := 0
	for n := range uint64(20_000) {
		r := rand.New(rand.NewPCG(n, 1))
		text := make([]byte, r.IntN(40))
		for i := range text {
			text[i] = signs[r.IntN(len(signs))]
		}
		var want []string
		for _, m := range means.FindAllStringSubmatch(string(text), 3) {
			want = append(want, m[1])
		}
		if got := namedPaths(string(text), 3); !slices.Equal(got, want) {
			t.Fatalf("%q: %q, want %q", text, got, want)
		}
		paths += len(want)
	}
	if paths < 1000 {
		t.Errorf("%d paths were compared", paths)
	}
}
