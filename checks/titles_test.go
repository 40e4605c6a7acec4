//go:build linux && !ringfence_portable

package checks

import (
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestTitlesNameTheProgram: where the program file of a process may not be read, the title that it has put in the place of its arguments names it.
// Without root, an SSH server that listens was none else.
func TestTitlesNameTheProgram(t *testing.T) {
	for _, c := range []struct {
		exe  string
		argv []string
		want string
	}{
		{"", []string{"sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"}, "sshd"},
		{"", []string{"nginx: master process /usr/sbin/nginx"}, "nginx"},
		{"", []string{"/usr/sbin/sshd", "-D"}, "sshd"},
		{"", []string{"/opt/a:b/run:"}, "run"},
		{"", []string{" "}, "."},
		{"/usr/bin/python3", []string{"sshd: x"}, "python3"},
	} {
		p := &process{Process: snapshot.Process{Exe: c.exe}, argv: c.argv}
		if got := p.exeBase(); got != c.want {
			t.Errorf("%q %q: %q, want %q", c.exe, c.argv, got, c.want)
		}
	}
	if kind := serverPrograms[(&process{argv: []string{"sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"}}).exeBase()]; kind != "openssh" {
		t.Errorf("a server that listens is %q", kind)
	}
}
