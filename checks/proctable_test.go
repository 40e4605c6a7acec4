//go:build linux && !ringfence_portable

package checks

import (
	"testing"

	"golang.org/x/sys/unix"
)

// leavingTask is a thread of which the namespaces are gone, or refused, and that is told to have ended once its status was read some times.
type leavingTask struct {
	namespace error
	looks     int
}

func (l *leavingTask) ReadFile(string) ([]byte, error) {
	if l.looks--; l.looks < 0 {
		return []byte("State:\tZ (zombie)\n"), nil
	}
	return []byte("State:\tR (running)\n"), nil
}

func (l *leavingTask) Readlink(string) (string, error) { return "", l.namespace }

// TestThreadThatEndsWhileItIsRead: a thread gives up its namespaces before its status tells that it has ended. It is no thread that could not be read;
// one whose namespaces are refused is, and so is one that stays.
func TestThreadThatEndsWhileItIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		task leavingTask
		want bool
	}{
		"it has ended":              {leavingTask{unix.ENOENT, 0}, true},
		"it is about to end":        {leavingTask{unix.ENOENT, 3}, true},
		"its namespaces are denied": {leavingTask{unix.EACCES, 3}, false},
		"a kernel without them":     {leavingTask{unix.ENOENT, 2 * endTries}, false},
	} {
		if got := hasEnded(&c.task); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
