//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// TestPurse: the time that a party takes up is its own, and that of any number of parties is bounded.
func TestPurse(t *testing.T) {
	var b purse
	all := time.Duration(0)
	for uid := 1001; uid < 1041; uid++ {
		for range 100 {
			if b.left(uidParty(uid)) <= 0 {
				break
			}
			b.spend(uidParty(uid), leastLook)
			all += leastLook
		}
	}
	if all > looksTime+40*leastLook {
		t.Errorf("40 uids took %v", all)
	}
	if n, err := spending(&b, uidParty(1001), func(time.Duration) (int, error) { return 7, nil }); n != 0 || !errors.Is(err, errSpent) {
		t.Errorf("one that has none left: %d, %v", n, err)
	}
	if n, err := spending(&b, uidParty(0), func(time.Duration) (int, error) { return 7, nil }); n != 7 || err != nil {
		t.Errorf("root: %d, %v", n, err)
	}
	if b.left("container x") <= 0 {
		t.Error("nothing is left for another")
	}
}

// TestProgramBehindLinks: a path that leads to a program through links is not the program's, and is not followed.
func TestProgramBehindLinks(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(dir+"/d", 0o755), os.WriteFile(dir+"/d/program", nil, 0o755), os.Symlink("d", dir+"/l")); err != nil {
		t.Fatal(err)
	}
	s := newScan(host.Local())
	st, err := s.Host.Stat(dir + "/d/program")
	if err != nil {
		t.Fatal(err)
	}
	word := func(exe string) snapshot.Word {
		return s.programWord(&process{Process: snapshot.Process{PID: os.Getpid(), UID: 1001, Exe: exe}}, st)
	}
	if w := word(dir + "/d/program"); w == (snapshot.Word{}) {
		t.Error("the program itself has no word")
	}
	if w := word(dir + "/l/program"); w != (snapshot.Word{}) {
		t.Errorf("behind a link: %v", w)
	}
	s.programTime.spend(uidParty(1001), time.Hour)
	s.programs = map[programKey]snapshot.Word{}
	if w := word(dir + "/d/program"); w != (snapshot.Word{}) || len(s.programs) > 0 {
		t.Errorf("without time left: %v, %v is kept", w, s.programs)
	}
}

// TestMountsOfNamespaces: of one namespace that is mounted any number of times few places are noted and few failures told,
// and a look that is given up ends.
func TestMountsOfNamespaces(t *testing.T) {
	var b strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&b, "%d 1 0:4 net:[77] /m/%d rw - nsfs nsfs rw\n", i, i)
	}
	const nsfs = 4
	tried := 0
	fails := func(err error) func(string) (*os.File, error) {
		tried = 0
		return func(p string) (*os.File, error) {
			tried++
			return nil, &fs.PathError{Op: "look up", Path: p, Err: err}
		}
	}
	if list := inMounts([]byte(b.String()), nsfs, nil, fails(syscall.ELOOP)); len(list) != maxTried {
		t.Errorf("%d failures", len(list))
	}
	if list := inMounts([]byte(b.String()), nsfs, nil, fails(host.ErrSlow)); len(list) != 1 || tried != 1 {
		t.Errorf("given up: %d answers, %d tried", len(list), tried)
	}
	list := inMounts([]byte(b.String()), nsfs, map[uint64]bool{77: true}, fails(syscall.EIO))
	if len(list) != maxNamesOfNetns || tried != 0 {
		t.Errorf("a known one: %d places, %d tried", len(list), tried)
	}
	f := &netnsFinder{index: map[uint64]int{}, said: map[string]bool{}, kept: map[string]int{}}
	f.addMounted(uidParty(1001), inMounts([]byte(b.String()), nsfs, nil, fails(syscall.ELOOP)))
	if len(f.mountGaps) != 1 || !strings.Contains(f.mountGaps[0], "uid 1001") {
		t.Errorf("gaps: %q", f.mountGaps)
	}
}

// TestKeptOfAParty: namespaces without a process take no more than a share of our descriptors.
func TestKeptOfAParty(t *testing.T) {
	s := newScan(host.Local())
	f := &netnsFinder{s: s, index: map[uint64]int{}, said: map[string]bool{}, kept: map[string]int{}}
	dir := t.TempDir()
	var list []mountedNetns
	for i := range maxKept + 2 { // any file has a number
		file, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, mountedNetns{inode: uint64(i), file: file})
	}
	f.addMounted(uidParty(1001), list)
	if len(s.kept) != maxKept || len(f.mountGaps) != 1 {
		t.Errorf("%d are kept, gaps %q", len(s.kept), f.mountGaps)
	}
	for _, file := range s.kept {
		file.Close()
	}
}

// TestLostProcess: a process that is there and cannot be read is a gap in the table; one that is gone is none.
func TestLostProcess(t *testing.T) {
	root := t.TempDir()
	for dir, gap := range map[string]string{"/proc/12": "", "/proc/13/status": host.ErrNotRegular.Error()} {
		if err := os.MkdirAll(root+dir, 0o755); err != nil {
			t.Fatal(err)
		}
		s := newScan(host.At(root))
		if list, err := s.processes(); err != nil || len(list) > 0 || s.procGap != gap {
			t.Errorf("with %s: %d processes, %v, gap %q", dir, len(list), err, s.procGap)
		}
		if err := os.RemoveAll(root + "/proc"); err != nil {
			t.Fatal(err)
		}
	}
}
