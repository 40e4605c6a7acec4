package terminal

import (
	"context"
	"io"
	"testing"
	"time"
)

// TestAnswers: each question gets a line of its own; silence, the end of input and another word are no yes.
func TestAnswers(t *testing.T) {
	in, out := io.Pipe()
	var a Answers
	if yes, told := a.Is(t.Context(), in, "yes", time.Millisecond); yes || told {
		t.Error("nothing was typed")
	}
	go func() {
		_, _ = io.WriteString(out, "no\n YES \n")
		out.Close()
	}()
	for _, want := range []bool{false, true, false} { // the last is the end of input
		if yes, told := a.Is(t.Context(), in, "yes", time.Minute); yes != want || !told {
			t.Errorf("%v %v, want %v", yes, told, want)
		}
	}
	over, end := context.WithCancel(t.Context())
	end()
	if yes, told := a.Is(over, in, "yes", time.Minute); yes || told {
		t.Error("after the end")
	}
}
