package host

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// EndedError is the cause of a context that a signal ended.
type EndedError struct{ Signal syscall.Signal }

func (e *EndedError) Error() string { return "ended by a signal: " + e.Signal.String() }

// UntilSignal is a context that SIGINT and SIGTERM end, and with it the programs that were started. A second signal
// then does what it does without.
func UntilSignal(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	got := make(chan os.Signal, 1)
	signal.Notify(got, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		select {
		case s := <-got:
			if s, ok := s.(syscall.Signal); ok {
				cancel(&EndedError{s})
			}
			signal.Stop(got)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(got)
		cancel(nil)
	}
}
