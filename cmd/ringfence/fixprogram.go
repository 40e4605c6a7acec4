//go:build linux && !ringfence_portable

package main

import (
	"errors"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/remedy"
)

// trusted refuses a fix by a program that others than root could replace: what takes a trial out again, and what is run at
// boot, is this program by its path.
func trusted(store remedy.Store) error {
	exe, err := host.OwnProgram()
	switch {
	case errors.Is(err, host.ErrOpenProgram):
		return refused("%w, and would run as root at boot: install it first with: install -m 755 ringfence /usr/local/sbin/", err)
	case err != nil:
		return refused("%w", err)
	}
	if err := remedy.UnitCommand(exe + rootArg(store.Root)); err != nil {
		return refused("%w", err)
	}
	return nil
}
