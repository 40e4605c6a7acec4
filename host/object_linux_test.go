//go:build linux && !ringfence_portable

package host

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/need"
)

// compiled is an object that the compiler of this system makes of a text with some options.
func compiled(t *testing.T, text string, options ...string) string {
	t.Helper()
	need.Program(t, "gcc")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.c"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-o", filepath.Join(dir, "x"), filepath.Join(dir, "x.c")}, options...)
	if out, err := exec.CommandContext(t.Context(), "gcc", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(dir, "x")
}

// TestWhatTheLoaderReads: of the two kinds of paths the newer one counts, and the sections of a file for nothing.
func TestWhatTheLoaderReads(t *testing.T) {
	for name, c := range map[string]struct {
		options   []string
		path      string
		inherited bool
		program   bool
	}{
		"a path of its own": {[]string{"-Wl,--enable-new-dtags,-rpath,/opt/a:$ORIGIN/../lib"}, "/opt/a:$ORIGIN/../lib", false, true},
		"an inherited path": {[]string{"-Wl,--disable-new-dtags,-rpath,/opt/a"}, "/opt/a", true, true},
		"no path":           {nil, "", false, true},
		"no sections":       {[]string{"-Wl,--enable-new-dtags,-rpath,/opt/a", "-s"}, "/opt/a", false, true},
		"a static program":  {[]string{"-static"}, "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := Local().Object(compiled(t, "int main(void){return 0;}", c.options...))
			if err != nil || o.Path != c.path || o.Inherited != c.inherited || (o.Interp != "") != c.program || slices.Contains(o.Needed, "libc.so.6") != c.program {
				t.Errorf("%+v, %v", o, err)
			}
		})
	}
}

// TestBrokenObjects: whatever is in a file, it is read within bounds, and what is no object is told apart from what is a broken one.
func TestBrokenObjects(t *testing.T) {
	b, err := os.ReadFile(compiled(t, "int main(void){return 0;}", "-Wl,-rpath,/opt/a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readObject(bytes.NewReader([]byte("#!/bin/sh\n"))); !errors.Is(err, ErrNotObject) {
		t.Errorf("a script: %v", err)
	}
	for n := range 64 {
		if _, err := readObject(bytes.NewReader(b[:n])); err == nil {
			t.Errorf("cut after %d bytes: it is read", n)
		}
	}
	for i := range 4096 { // each byte of the headers and tables
		broken := slices.Clone(b)
		broken[i] ^= 0xff
		o, err := readObject(bytes.NewReader(broken))
		if err == nil && len(o.Needed) > maxLoaded {
			t.Errorf("byte %d: %d libraries", i, len(o.Needed))
		}
	}
}

// TestCacheOfTheLoader: it says the same as ldconfig, and a cut one is an error or less.
func TestCacheOfTheLoader(t *testing.T) {
	b, err := os.ReadFile("/etc/ld.so.cache")
	if err != nil {
		t.Skipf("the machine lacks: the cache of the loader of glibc: %v", err)
	}
	out, err := exec.CommandContext(t.Context(), "/sbin/ldconfig", "-p").Output()
	if err != nil {
		t.Fatalf("ask ldconfig: %v", err)
	}
	list, err := ParseCache(b)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for name, paths := range list {
		for _, p := range paths {
			n++
			if !bytes.Contains(out, []byte("\t"+name+" (")) || !bytes.Contains(out, []byte(" => "+p+"\n")) {
				t.Errorf("%s at %s: ldconfig has it not", name, p)
			}
		}
	}
	if want := bytes.Count(out, []byte(" => ")); n != want {
		t.Errorf("want %d libraries, got %d", want, n)
	}
	for _, cut := range []int{0, 20, 47, 48, 100, len(b) / 2} {
		if list, err := ParseCache(b[:cut]); err == nil && len(list) > n {
			t.Errorf("cut after %d bytes: %d libraries", cut, len(list))
		}
	}
}
