package terminal

import (
	"bufio"
	"context"
	"io"
	"strings"
	"time"
)

// Answers are the lines that are typed, from the first question on. One reader is for all questions: an answer that came too late is none to the
// next.
type Answers struct{ lines chan string }

// Is waits for a line, and says whether it is the word that is wanted, and whether one came before the limit and the end of ctx.
func (a *Answers) Is(ctx context.Context, in io.Reader, want string, limit time.Duration) (yes, told bool) {
	if a.lines == nil {
		a.lines = make(chan string)
		go func() {
			r := bufio.NewReader(in)
			for {
				line, err := r.ReadString('\n')
				a.lines <- strings.TrimSpace(line)
				if err != nil {
					return
				}
			}
		}()
	}
	select {
	case line := <-a.lines:
		return ctx.Err() == nil && strings.EqualFold(line, want), true
	case <-ctx.Done():
	case <-time.After(limit):
	}
	return false, false
}
