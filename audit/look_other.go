//go:build !linux || ringfence_portable

package audit

import (
	"time"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/version"
	"github.com/ringfence/ringfence/winhost"
)

// Look is a snapshot of the Windows host that the program runs on; elsewhere the error is an errors.ErrUnsupported.
func Look() (*snapshot.Snapshot, error) {
	source, err := winhost.Look()
	if err != nil {
		return nil, err
	}
	return source.Snapshot(snapshot.Tool{Name: "ringfence", Version: version.String()}, time.Now()), nil
}
