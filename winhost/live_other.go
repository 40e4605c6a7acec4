//go:build !windows && (!linux || ringfence_portable)

package winhost

import "errors"

// Look reads the Windows host that the program runs on; elsewhere there is none.
func Look() (*Source, error) { return nil, errors.ErrUnsupported }
