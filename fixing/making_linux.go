//go:build linux && !ringfence_portable

package fixing

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/trial"
)

// Making says how the fix is made.
func (f *Flags) Making() trial.Options {
	return trial.Options{
		Layer: f.Layer, By: f.Confirm, Wait: f.Timeout, DryRun: f.DryRun, Persist: f.Persist == "on-confirm", Suffix: trial.RootArg(f.Root), Again: f.again(),
		Targeted: f.mode == remedy.Targeted && f.loads != nil && f.loads.Flags().Changed("mode"),
	}
}

// again are the flags that say what is planned, as people type them: without them the same command makes another fix.
func (f *Flags) again() string {
	if f.loads == nil {
		return ""
	}
	var words strings.Builder
	for _, name := range []string{"allow-from", "bundle", "config", "established", "import", "keep", "layer", "mode", "persist", "policy", "verification-key"} {
		flag := f.loads.Flags().Lookup(name)
		if flag == nil || !flag.Changed {
			continue
		}
		list := []string{flag.Value.String()}
		if s, ok := flag.Value.(interface{ GetSlice() []string }); ok {
			list = s.GetSlice()
		}
		for _, value := range list {
			if full, err := filepath.Abs(value); err == nil && slices.Contains([]string{"bundle", "config", "policy", "verification-key"}, name) {
				value = full
			}
			words.WriteString(" --" + name + " " + trial.Word(value))
		}
	}
	return words.String()
}
