//go:build linux && !ringfence_portable

package fixing

import "github.com/ringfence/ringfence/trial"

// Making says how the fix is made.
func (f *Flags) Making() trial.Options {
	return trial.Options{
		Layer: f.Layer, By: f.Confirm, Wait: f.Timeout, DryRun: f.DryRun, Persist: f.Persist == "on-confirm", Suffix: trial.RootArg(f.Root),
	}
}
