//go:build !linux || ringfence_portable

package sandbox

import (
	"context"
	"errors"
	"io"
	"runtime"
)

// Serve is not here: nothing starts it.
func Serve(context.Context, io.Reader, io.Writer) error { return errors.ErrUnsupported }

// startChild judges in this process, which the report says: there is nothing to confine another one by.
func startChild() *child { return ownChild(errors.New("not supported on " + runtime.GOOS)) }
