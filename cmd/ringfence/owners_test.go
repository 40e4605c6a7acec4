package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestUnownedFilesAreTold: where nobody can tell whose a file is, it is read, and that is said.
func TestUnownedFilesAreTold(t *testing.T) {
	for _, c := range []struct {
		args []string
		want []string // what is told of
	}{
		{[]string{"audit", "--config", "c", "--policy", "p", "--snapshot", "s"}, []string{"--config", "--policy"}},
		{[]string{"fix", "plan", "--snapshot", "s"}, []string{"--snapshot"}},
		{[]string{"checks", "test", "d"}, []string{"the directory of policies"}},
		{[]string{"audit", "--snapshot", "s"}, nil},
	} {
		var errs bytes.Buffer
		e := &env{stderr: &errs}
		root := e.root()
		cmd, rest, err := root.Find(c.args)
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err != nil {
			t.Fatal(err)
		}
		e.sayUnowned(cmd, false)
		if strings.Count(errs.String(), "\n") != len(c.want) {
			t.Errorf("%q: %q", c.args, errs.String())
		}
		for _, w := range c.want {
			if !strings.Contains(errs.String(), "ringfence: "+w+": whose it is") {
				t.Errorf("%q: %q does not tell of %s", c.args, errs.String(), w)
			}
		}
		errs.Reset()
		if e.sayUnowned(cmd, true); errs.Len() > 0 {
			t.Errorf("%q: %q where owners are known", c.args, errs.String())
		}
	}
}
