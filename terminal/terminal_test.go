package terminal

import (
	"os"
	"testing"
)

func env(m map[string]string) func(string) string { return func(k string) string { return m[k] } }

func TestWidth(t *testing.T) {
	for _, c := range []struct {
		columns int
		is      bool
		env     string
		want    int
	}{
		{80, true, "", 80},
		{80, true, "120", 80},
		{0, true, "120", 120},
		{0, false, "", 0},
		{0, false, "132", 132},
		{0, false, "7", 0},
		{0, false, "-1", 0},
		{0, false, "many", 0},
		{0, false, "99999", 0},
	} {
		if got := Width(c.columns, c.is, env(map[string]string{"COLUMNS": c.env})); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func TestColor(t *testing.T) {
	for _, c := range []struct {
		mode string
		is   bool
		env  map[string]string
		want bool
	}{
		{"auto", true, nil, true},
		{"auto", false, nil, false},
		{"always", false, map[string]string{"NO_COLOR": "1"}, true},
		{"never", true, map[string]string{"FORCE_COLOR": "1"}, false},
		{"auto", true, map[string]string{"NO_COLOR": "1"}, false},
		{"auto", true, map[string]string{"NO_COLOR": "1", "FORCE_COLOR": "1"}, false},
		{"auto", false, map[string]string{"FORCE_COLOR": "1"}, true},
		{"auto", false, map[string]string{"FORCE_COLOR": "true", "TERM": "dumb"}, true},
		{"auto", true, map[string]string{"FORCE_COLOR": "0"}, false},
		{"auto", false, map[string]string{"CLICOLOR_FORCE": "1"}, true},
		{"auto", false, map[string]string{"CLICOLOR_FORCE": "0"}, false},
		{"auto", true, map[string]string{"CLICOLOR": "0"}, false},
		{"auto", true, map[string]string{"TERM": "dumb"}, false},
		{"auto", false, map[string]string{"CI": "true", "TERM": "xterm"}, false},
	} {
		if got := Color(c.mode, c.is, env(c.env)); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestASCII(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want bool
	}{
		{nil, false},
		{map[string]string{"LANG": "C.UTF-8"}, false},
		{map[string]string{"LANG": "de_DE.utf8"}, false},
		{map[string]string{"LANG": "C"}, true},
		{map[string]string{"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, true},
		{map[string]string{"LC_ALL": "POSIX"}, true},
		{map[string]string{"LC_CTYPE": "en_US.ISO-8859-1", "LANG": "C.UTF-8"}, true},
		{map[string]string{"LC_ALL": "", "LC_CTYPE": "C.UTF-8", "LANG": "C"}, false},
	} {
		if got := ASCII(env(c.env)); got != c.want {
			t.Errorf("%v: %v", c.env, got)
		}
	}
}

// TestWaiting: the line names who is waited for, never who has ended.
func TestWaiting(t *testing.T) {
	w := Wait([]string{"a", "b", "c", "d", "e"}, 0)
	for _, c := range [][2]string{
		{"b", "1/5 seen, waiting for a, c, d and 1 more"},
		{"a", "2/5 seen, waiting for c, d, e"},
		{"nobody", "2/5 seen, waiting for c, d, e"},
		{"e", "3/5 seen, waiting for c, d"},
		{"c", "4/5 seen, waiting for d"},
		{"d", ""},
	} {
		if got := w.Done(c[0]); got != c[1] {
			t.Errorf("after %s: %q, want %q", c[0], got, c[1])
		}
	}
	if _, is := Of("no file"); is {
		t.Error("a text is a terminal")
	}
}

// TestWaitingFitsTheTerminal: the line of progress is never as wide as the terminal.
func TestWaitingFitsTheTerminal(t *testing.T) {
	for columns, want := range map[int]string{
		100: "1/5 seen, waiting for namespaces, network, powers and 1 more", 60: "1/5 seen, waiting for namespaces, network and 2 more",
		52: "1/5 seen, waiting for namespaces and 3 more", 30: "1/5 seen", 5: "1/5 ", 1: "",
	} {
		w := Wait([]string{"a", "namespaces", "network", "powers", "listeners"}, columns)
		if got := w.Done("a"); got != want || len(got) >= columns {
			t.Errorf("%d: %q, want %q", columns, got, want)
		}
	}
}

// TestMoves: no line is written over on a terminal that cannot, or where there is none.
func TestMoves(t *testing.T) {
	if _, does := Moves("no file"); does {
		t.Error("a text is a terminal")
	}
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("the machine lacks: terminals (/dev/ptmx): %v", err)
	}
	defer ptmx.Close()
	for name, want := range map[string]bool{"xterm": true, "dumb": false} {
		t.Setenv("TERM", name)
		if _, does := Moves(ptmx); does != want {
			t.Errorf("%s: %v", name, does)
		}
	}
}
