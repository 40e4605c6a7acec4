//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ringfence/ringfence/host"
)

// TestUnitFiles reads what systemd would: the first unit of the name, its drop-ins by name, an empty assignment that resets; and nothing that
// others can write.
func TestUnitFiles(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root: it gives files away")
	}
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	s := newScan(host.At(root))
	write("usr/lib/systemd/system/x.service", "[Unit]\nUser=no\n[Service]\nExecStart=-/usr/bin/a --b \\\n  User=c\n# ExecStart=/no\nUser=x\n")
	show, why := s.unitFiles("x.service")
	if p, ok := startPath(show["ExecStart"]); why != "" || !ok || p != "/usr/bin/a" || show["User"][0] != "x" {
		t.Errorf("%q %s", show, why)
	}
	write("etc/systemd/system/x.service.d/10.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/b\n")
	write("usr/lib/systemd/system/x.service.d/10.conf", "[Service]\nUser=hidden\n")
	write("run/systemd/system/x.service.d/20.conf", "[Service]\nUser=y\n")
	s = newScan(host.At(root)) // one looks once
	show, why = s.unitFiles("x.service")
	if p, ok := startPath(show["ExecStart"]); why != "" || !ok || p != "/usr/bin/b" || show["User"][0] != "y" {
		t.Errorf("with drop-ins: %q %s", show, why)
	}
	if _, why := s.unitFiles("y.service"); why == "" {
		t.Error("a unit without a file is read")
	}
	for name, text := range map[string]string{"a specifier": "/usr/%i", "quotes": `"/usr/bin/a b"`, "a variable": "$X", "two": "/a\nExecStart=/b"} {
		write("etc/systemd/system/z.service", "[Service]\nExecStart="+text+"\n")
		show, why := s.unitFiles("z.service")
		if _, ok := startPath(show["ExecStart"]); why == "" && ok {
			t.Errorf("%s: %q", name, show)
		}
	}
	if err := os.Chown(filepath.Join(root, "run/systemd/system/x.service.d/20.conf"), 1001, 0); err != nil {
		t.Fatal(err)
	}
	if _, why := s.unitFiles("x.service"); why != "a file of the unit is not root's alone" {
		t.Errorf("a user's drop-in: %q", why)
	}
}
