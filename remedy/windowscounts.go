package remedy

import (
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/wfp/mpssvc"
)

// taking are the profiles for which the firewall makes filters of a rule of the host, by their numbers: it is on there, and no policy keeps to its
// own rules. Nothing else shows that: a firewall that is off has rules too. What was not read is of no profile.
func taking(w *snapshot.Windows, v4 bool) (list []uint64) {
	if w.Firewall.Read.State != snapshot.Present {
		return nil
	}
	for _, s := range mpssvc.EffectiveSettings(&w.Firewall) {
		n := mpssvc.ProfileID(s.Profile)
		if s.On && s.Merge && !s.NoUserPorts && s.Doubt == "" && enforced(&w.Filters, n, v4, s.Blocks) {
			list = append(list, n)
		}
	}
	return list
}

// enforced says that the engine holds what the firewall makes for a profile: where that blocks by default the block, else any filter.
func enforced(w *snapshot.WindowsFilters, profile uint64, v4, blocks bool) bool {
	layer := "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V6"
	if v4 {
		layer = "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4"
	}
	return slices.ContainsFunc(w.Filters, func(f snapshot.WFPFilter) bool {
		if f.Layer != layer || f.Sublayer != firewallSublayer || slices.Contains(f.Flags, "FWPM_FILTER_FLAG_BOOTTIME") || slices.Contains(f.Flags, "FWPM_FILTER_FLAG_DISABLED") {
			return false
		}
		of, more, any := false, false, true
		for _, c := range f.Conditions {
			if strings.TrimPrefix(c.Field, "FWPM_CONDITION_") != "ORIGINAL_PROFILE_ID" {
				more = true
				continue
			}
			any = false
			of = of || c.Kind == snapshot.WFPNumber && c.Low <= profile && profile <= c.High
		}
		if blocks {
			return (of || any) && !more && f.Action == "FWP_ACTION_BLOCK"
		}
		return of
	})
}

const firewallSublayer = "FWPM_SUBLAYER_MPSSVC_WF"

// idle is why it is not known that a rule of the host stops anything, where the engine was read: "" where some profile has it.
func idle(w *snapshot.Windows, rules []WindowsRule) string {
	if w.Filters.Read.State != snapshot.Present {
		return ""
	}
	if w.Firewall.Read.State != snapshot.Present {
		return "whether the firewall takes rules of the host was not read (EnableFirewall and AllowLocalPolicyMerge of the registry)"
	}
	for i := range rules {
		if len(taking(w, rules[i].v4)) > 0 {
			return ""
		}
	}
	return "the firewall is off, or takes no rules of the host, on every profile"
}
