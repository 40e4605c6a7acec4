package snapshot

import "testing"

// TestWhoseWord: who may speak for whom.
func TestWhoseWord(t *testing.T) {
	const c1, c2 = "c1", "c2"
	mal := Word{By: ByUID, UID: 1001}
	procs := map[string]*Process{
		"root":          {UID: 0},
		"mal":           {UID: 1001},
		"vic":           {UID: 1002},
		"in c1":         {UID: 0, Container: c1, ContainerWord: Word{By: ByRoot}},
		"mal's c2":      {UID: 1001, Container: c2, ContainerWord: mal},
		"uid 1001 c1":   {UID: 1001, Container: c1, ContainerWord: Word{By: ByRoot}},
		"subuid of mal": {UID: 101002, Container: c2, ContainerWord: mal},
	}
	for _, c := range []struct {
		word    Word
		trusted bool
		for_    []string
	}{
		{Word{By: ByKernel}, true, []string{"root", "mal", "vic", "in c1", "mal's c2", "uid 1001 c1", "subuid of mal"}},
		{WordOf(0), true, []string{"root", "mal", "vic", "in c1", "mal's c2", "uid 1001 c1", "subuid of mal"}},
		{mal, false, []string{"mal", "mal's c2", "subuid of mal"}},
		{Word{By: ByContainer, Container: c1}, false, []string{"in c1", "uid 1001 c1"}},
		{Word{By: ByContainer}, false, nil},
		{Word{By: ByOthers}, false, nil},
		{Word{}, false, nil},
	} {
		if c.word.Trusted() != c.trusted {
			t.Errorf("%s: trusted %v", c.word, c.word.Trusted())
		}
		want := map[string]bool{}
		for _, n := range c.for_ {
			want[n] = true
		}
		for n, p := range procs {
			if got := c.word.SpeaksFor(p); got != want[n] {
				t.Errorf("%s for %s: %v, want %v", c.word, n, got, want[n])
			}
		}
	}
}
