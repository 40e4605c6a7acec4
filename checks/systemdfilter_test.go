//go:build linux && !ringfence_portable

package checks

import (
	"encoding/hex"
	"testing"
)

// TestProgramsOfSystemd: the kernel's names of programs that systemd 252 loaded on Linux 6.18 are those of the programs that we expect of it.
func TestProgramsOfSystemd(t *testing.T) {
	v4, v6 := filterMap{v4: true}, filterMap{}
	allow4, allow6 := filterMap{v4: true, allow: true}, filterMap{allow: true}
	for tag, want := range map[string]filterShape{
		"772db7720b2728e9": {denyAny: true},
		"fcfcfa4943d8b495": {ingress: true, denyAny: true, maps: []filterMap{allow4}},
		"fc372c102e2b7c1f": {denyAny: true, maps: []filterMap{allow4}},
		"e26064f4a3761f7b": {ingress: true, denyAny: true, maps: []filterMap{allow4, allow6}},
		"ef5a06f94c9f6526": {denyAny: true, maps: []filterMap{allow4, allow6}},
		"2e588a6e9969e324": {ingress: true, maps: []filterMap{v4, v6, allow4}},
		"bd13d487e3d315d9": {maps: []filterMap{v4, v6, allow4}},
		"20002fbd641cd827": {ingress: true, maps: []filterMap{v4}},
		"5032e6c481d559d9": {maps: []filterMap{v4}},
	} {
		b, err := hex.DecodeString(tag)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := filterTags()[programTag(b)]
		if !ok || len(want.maps) > 0 && got.ingress != want.ingress || got.denyAny != want.denyAny || got.allowAny || got.counts || len(got.maps) != len(want.maps) {
			t.Errorf("%s: %+v, want %+v", tag, got, want)
			continue
		}
		for i := range want.maps {
			if got.maps[i] != want.maps[i] {
				t.Errorf("%s: map %d is %+v, want %+v", tag, i, got.maps[i], want.maps[i])
			}
		}
	}
}
