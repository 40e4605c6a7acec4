package exposure

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/words"
	"github.com/ringfence/ringfence/zones"
)

// Spelled says which word of a question is none on any host, and what it may have been meant to be.
func (w *Words) Spelled() error {
	if err := spelledFrom(w.From); err != nil {
		return err
	}
	return spelledTo(w.To)
}

func spelledFrom(from string) error {
	if name, ok := strings.CutPrefix(from, "iface:"); ok && name != "" || isPlace(from) {
		return nil
	}
	return fmt.Errorf("from %q: %w", from, words.Wrong(from, append(places(), "iface:NAME")))
}

func spelledTo(to string) error {
	kind, name, ok := strings.Cut(to, ":")
	switch {
	case isPlace(to), ok && name != "" && (kind == "iface" || kind == "guest"):
		return nil
	case ok && kind == "addr":
		if _, err := netip.ParseAddr(name); err != nil {
			return fmt.Errorf("to %q: want addr:IP", to)
		}
		return nil
	}
	return fmt.Errorf("to %q: %w", to, words.Wrong(to, append(places(), "iface:NAME", "addr:IP", "guest:NAME")))
}

func places() []string { return append([]string{zones.Host}, Networks...) }

func isPlace(word string) bool { return slices.Contains(places(), word) }
