//go:build linux && !ringfence_portable

package checks

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestNamespacesFit: what somebody puts into a namespace of their own does not make the snapshot of the host one that
// cannot be read. The namespace is said not to be known instead, and takes no room from others.
func TestNamespacesFit(t *testing.T) {
	links := func(n int, name string) *snapshot.Elsewhere {
		e := &snapshot.Elsewhere{Netns: 1, Status: snapshot.OK}
		for i := range n {
			e.Network.Links = append(e.Network.Links, snapshot.Link{Index: i + 1, Name: name})
		}
		return e
	}
	chains := links(1, "l")
	chains.NFTables.Ruleset = &ruleset.Ruleset{Tables: []ruleset.Table{{Chains: []ruleset.Chain{{Name: "\xff"}, {Name: "\xfe"}}}}}
	list := []*snapshot.Elsewhere{
		links(maxElsewhereLink+1, "l"), chains, links(200, "l"), links(3, "l\ufffd"), nil, links(100, "l"),
	}
	n, err := textOf(links(100, "l"))
	if err != nil {
		t.Fatal(err)
	}
	fit(list, []int{n, n, n, n, n, n / 2}, 2*n)
	for i, why := range []string{"4097 links, more than 4096", "not UTF-8", "room for", "", "", ""} {
		if e := list[i]; e != nil && ((e.Status == snapshot.OK) != (why == "") || !strings.Contains(e.Reason, why) || why != "" && e.Network.Links != nil) {
			t.Errorf("%d: %s %q, %d links", i, e.Status, e.Reason, len(e.Network.Links))
		}
	}
}
