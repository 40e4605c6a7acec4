package exit

import (
	"errors"
	"testing"
)

func TestExpected(t *testing.T) {
	for _, c := range []struct {
		want, got string
		code      int
	}{{"", "drop", OK}, {"drop", "drop", OK}, {"unknown", "unknown", OK}, {"drop", "local", Findings}, {"drop", "unknown", Incomplete}, {"unknown", "drop", Findings}} {
		err := Expected(c.want, c.got)
		code := OK
		if e := new(Error); errors.As(err, &e) {
			code = e.Code
		}
		if code != c.code || (err == nil) != (c.code == OK) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if (&Error{Code: Unclear}).Error() != "exit code 5" {
		t.Error("an error without a text")
	}
}
