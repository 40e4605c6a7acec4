//go:build linux && !ringfence_portable

package host

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

// TestFilesOfTheOwnThread: a file of the thread that opens it is read by that thread. Another one finds nothing there once the first
// has ended, which threads in other namespaces do all the time.
func TestFilesOfTheOwnThread(t *testing.T) {
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				done := make(chan struct{})
				go func() {
					runtime.LockOSThread() // the thread ends with the goroutine
					close(done)
				}()
				<-done
			}
		})
		all.Go(func() {
			for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
				for _, p := range []string{"/proc/thread-self/mountinfo", "/proc/thread-self/status"} {
					if _, err := Local().ReadFile(p); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	time.Sleep(2 * time.Second)
	close(stop)
	all.Wait()
}
