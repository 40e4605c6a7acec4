package trial

import "fmt"

// RefusedError says why a fix was not made, or was taken out again: the host is as before.
type RefusedError struct{ err error }

func (e *RefusedError) Error() string { return e.err.Error() }

// Unwrap is the reason.
func (e *RefusedError) Unwrap() error { return e.err }

// UnclearError says that the state of the fix is not known, or that it is loaded and could not be kept over a boot.
type UnclearError struct{ err error }

func (e *UnclearError) Error() string { return e.err.Error() }

// Unwrap is the reason.
func (e *UnclearError) Unwrap() error { return e.err }

// DriftError says that what is loaded is no longer what was confirmed.
type DriftError struct{ err error }

func (e *DriftError) Error() string { return e.err.Error() }

// Unwrap is the reason.
func (e *DriftError) Unwrap() error { return e.err }

// PartlyError says that a part of a fix was kept, and another was refused or taken out again, or could not be made.
type PartlyError struct{ err error }

func (e *PartlyError) Error() string { return e.err.Error() }

// Unwrap is the reason.
func (e *PartlyError) Unwrap() error { return e.err }

func refused(format string, args ...any) error {
	return &RefusedError{fmt.Errorf("fix: "+format, args...)}
}

func unclear(format string, args ...any) error {
	return &UnclearError{fmt.Errorf("fix: "+format, args...)}
}
