package sandbox

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/judge"
)

func TestSelection(t *testing.T) {
	checks := []judge.Check{{ID: "host/kernel-baseline"}, {ID: "ssh/empty-passwords"}, {ID: "ssh/password-authentication"}}
	for _, c := range []struct {
		only, skip, want []string
		err              string
	}{
		{},
		{only: []string{"ssh"}, want: []string{"host/kernel-baseline"}},
		{only: []string{"ssh/*"}, skip: []string{"ssh/empty-passwords"}, want: []string{"host/kernel-baseline", "ssh/empty-passwords"}},
		{skip: []string{"*/*-*baseline"}, want: []string{"host/kernel-baseline"}},
		{skip: []string{"host/kernel-baseline", "ssh"}, want: []string{"host/kernel-baseline", "ssh/empty-passwords", "ssh/password-authentication"}},
		{only: []string{"ssh/empty-passwords,host"}, want: []string{"ssh/password-authentication"}},
		{only: []string{"ssh,"}, err: `only: no check "": ringfence checks list names them`},
		{only: []string{"SSH"}, err: `only: no check "SSH": did you mean ssh?`},
		{only: []string{"ssh/empty-pasword"}, err: `only: no check "ssh/empty-pasword": did you mean ssh/empty-passwords?`},
		{skip: []string{"nosuch"}, err: `skip: no check "nosuch": ringfence checks list names them`},
		{skip: []string{"["}, err: `skip: pattern "[": syntax error in pattern`},
	} {
		got, err := (&Selection{Only: c.only, Skip: c.skip}).leftOut(checks)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if !slices.Equal(got, c.want) || text != c.err {
			t.Errorf("%+v: %v %q", c, got, text)
		}
	}
}

// TestNothingLeft: what leaves every check out is told from what leaves one.
func TestNothingLeft(t *testing.T) {
	checks := []judge.Check{{ID: "a/a"}, {ID: "a/b"}}
	if !noneLeft(checks, []string{"a/b", "a/a"}) || noneLeft(checks, []string{"a/a"}) || noneLeft(checks, nil) {
		t.Error("what is left is not what is judged")
	}
}
