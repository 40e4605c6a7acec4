package exposure

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/wfp"
	"github.com/ringfence/ringfence/wfp/mpssvc"
)

// held are the filters that the engine of a host holds, with the names that package wfp has for what they ask.
func held(host *snapshot.Windows, drive string, paths []string) ([]wfp.Filter, []wfp.Sublayer) {
	w := &host.Filters
	v := volumesOf(w, paths)
	v.drive = drive
	names := namesOf(w)
	ftp := servesFTP(&host.Listeners)
	var filters []wfp.Filter
	for i := range w.Filters {
		if f, ok := filterOf(&w.Filters[i], v); ok {
			if f.Callout = names.callout(&w.Filters[i]); harmless(&w.Filters[i], f.Callout) || !ftp && inspectsFTP(&w.Filters[i]) {
				f.Action = wfp.CalloutInspection
			}
			if names.missing[w.Filters[i].Callout] && (f.Action == wfp.CalloutTerminating || f.Action == wfp.CalloutUnknown) {
				f.Action = map[bool]wfp.Action{true: wfp.Permit, false: wfp.Block}[f.IfMissing] // FWPM_FILTER0, flags
			}
			filters = append(filters, f)
		}
	}
	var subs []wfp.Sublayer
	for _, s := range w.Sublayers {
		subs = append(subs, wfp.Sublayer{Key: s.Key, Name: sublayerName(s.Key, s.Name), Weight: s.Weight})
	}
	return unordered(filters, subs)
}

// unordered leaves those filters in doubt of which it hangs on the order of the sublayers whether they decide, and that is not known: a permit that is hard
// decides over lighter sublayers. A sublayer whose weight was not told is asked first, so that what it may say is heard.
func unordered(filters []wfp.Filter, subs []wfp.Sublayer) ([]wfp.Filter, []wfp.Sublayer) {
	type level struct {
		layer wfp.Layer
		v4    bool
	}
	levels, with := map[level]bool{}, map[string]bool{} // layers and sublayers where a permit is hard
	for i := range filters {
		if f := &filters[i]; f.Hard && f.Action != wfp.Block && !f.Boot && !f.Disabled {
			levels[level{f.Layer, f.V4}], with[f.Sublayer] = true, true
		}
	}
	weights := map[string]uint16{}
	for _, s := range subs {
		weights[s.Key] = s.Weight
	}
	whole, untold := len(subs) > 0, map[string]bool{}
	for i := range filters {
		f := &filters[i]
		if _, told := weights[f.Sublayer]; !told && levels[level{f.Layer, f.V4}] && (whole || with[f.Sublayer]) {
			weights[f.Sublayer], untold[f.Sublayer] = heaviest, true
			subs = append(subs, wfp.Sublayer{Key: f.Sublayer, Name: sublayerName(f.Sublayer, ""), Weight: heaviest})
		}
	}
	alike := map[uint16][]string{}
	for key, weight := range weights {
		alike[weight] = append(alike[weight], key)
	}
	for i := range filters {
		f := &filters[i]
		weight, known := weights[f.Sublayer]
		if !known || !levels[level{f.Layer, f.V4}] || f.Action == wfp.Permit && !f.Hard {
			continue
		}
		tied := len(alike[weight]) > 1 && slices.ContainsFunc(alike[weight], func(key string) bool { return with[key] })
		f.Doubt = orText(f.Doubt, untold[f.Sublayer] || tied, "the order of the sublayers was not read")
	}
	return filters, subs
}

// heaviest is the most that a sublayer weighs.
const heaviest = 65535

// inspectsFTP says of a filter that it has the firewall's own callout follow FTP: that opens the ports which a server of it on the host names, and stops
// nothing (MS-FASP 2.2.41, stateful FTP).
func inspectsFTP(f *snapshot.WFPFilter) bool {
	four, six := f.Callout == "{c3dbed20-0bb6-4bf3-828d-96732e1e022c}", f.Callout == "{c3dbed20-0bb6-4bf3-828d-96732e1e022e}"
	return (four || six) && f.Provider == "FWPM_PROVIDER_MPSSVC_WF"
}

// servesFTP says whether a server of FTP may listen.
func servesFTP(l *snapshot.WindowsListeners) bool {
	return l.Read.State != snapshot.Present || slices.ContainsFunc(l.List, func(x snapshot.WindowsListener) bool { return x.Proto == "tcp" && x.Port == 21 })
}

// names are what callouts and providers are called, by key, and which callouts no driver has registered.
type names struct {
	callouts, providers map[string]string
	missing             map[string]bool
}

func namesOf(w *snapshot.WindowsFilters) names {
	n := names{map[string]string{}, map[string]string{}, map[string]bool{}}
	for _, c := range w.Callouts {
		n.callouts[c.Key] = c.Name
		n.missing[c.Key] = !slices.Contains(c.Flags, "FWPM_CALLOUT_FLAG_REGISTERED")
	}
	for _, p := range w.Providers {
		n.providers[p.Key] = p.Name
	}
	return n
}

// callout names the driver that a filter asks, and who added it.
func (n *names) callout(f *snapshot.WFPFilter) string {
	if f.Callout == "" {
		return ""
	}
	out := cmp.Or(n.callouts[f.Callout], f.Callout)
	if by := cmp.Or(n.providers[f.Provider], f.Provider); by != "" {
		out += " of " + by
	}
	return out
}

// harmless says of a callout of Windows itself that it stops no connection for what it is about: those that set options of sockets
// (Microsoft, "Built-in Callout Identifiers"), and the network inspection of Defender, which stops what looks like an exploit.
func harmless(f *snapshot.WFPFilter, name string) bool {
	if !strings.HasPrefix(f.Action, "FWP_ACTION_CALLOUT") {
		return false
	}
	for _, begin := range []string{"FWPM_CALLOUT_SET_OPTIONS_", "FWPM_CALLOUT_TCP_TEMPLATES_"} {
		if strings.HasPrefix(f.Callout, begin) {
			return true
		}
	}
	return strings.HasPrefix(strings.ToLower(name), "windefend")
}

func orText(s string, also bool, text string) string {
	if s == "" && also {
		return text
	}
	return s
}

// sublayerName is what a sublayer is called in a cause.
func sublayerName(key, name string) string {
	if short, ok := strings.CutPrefix(key, "FWPM_SUBLAYER_"); ok {
		return short
	}
	if name != "" {
		return name
	}
	return key
}

// filterOf is one filter. It reports false of layers that are not asked.
func filterOf(f *snapshot.WFPFilter, v *volumes) (wfp.Filter, bool) {
	layer, v4 := strings.CutSuffix(strings.TrimPrefix(f.Layer, "FWPM_LAYER_"), "_V4")
	if !v4 {
		layer = strings.TrimSuffix(layer, "_V6")
	}
	if !slices.Contains(wfp.Layers(), wfp.Layer(layer)) {
		return wfp.Filter{}, false
	}
	flag := func(name string) bool { return slices.Contains(f.Flags, "FWPM_FILTER_FLAG_"+name) }
	out := wfp.Filter{
		ID: f.ID, Name: f.Name, Provider: f.Provider, Layer: wfp.Layer(layer), V4: v4, Sublayer: f.Sublayer, Weight: f.EffectiveWeight,
		Callout: f.Callout, Hard: flag("CLEAR_ACTION_RIGHT"), IfMissing: flag("PERMIT_IF_CALLOUT_UNREGISTERED"), Boot: flag("BOOTTIME"),
		Disabled: flag("DISABLED"), Action: actionOf(f.Action),
	}
	if f.EffectiveUnread {
		out.Doubt = "its weight was not read"
	}
	for i := range f.Conditions {
		out.Conditions = append(out.Conditions, conditionOf(&f.Conditions[i], v))
	}
	return out, true
}

// actionOf is an action by its name in fwptypes.h. One that is not known may do anything.
func actionOf(s string) wfp.Action {
	switch strings.TrimPrefix(s, "FWP_ACTION_") {
	case "PERMIT":
		return wfp.Permit
	case "BLOCK":
		return wfp.Block
	case "CONTINUE", "NONE", "NONE_NO_MATCH":
		return wfp.Continue
	case "CALLOUT_TERMINATING":
		return wfp.CalloutTerminating
	case "CALLOUT_INSPECTION":
		return wfp.CalloutInspection
	default:
		return wfp.CalloutUnknown
	}
}

// comparisons are those of fwptypes.h, FWP_MATCH_TYPE, without FWP_MATCH_.
var comparisons = map[string]wfp.Match{
	"EQUAL": wfp.Equal, "NOT_EQUAL": wfp.NotEqual, "GREATER": wfp.Greater, "LESS": wfp.Less, "GREATER_OR_EQUAL": wfp.GreaterOrEqual,
	"LESS_OR_EQUAL": wfp.LessOrEqual, "RANGE": wfp.InRange, "FLAGS_ALL_SET": wfp.AllSet, "FLAGS_ANY_SET": wfp.AnySet, "FLAGS_NONE_SET": wfp.NoneSet,
	"EQUAL_CASE_INSENSITIVE": wfp.EqualFold, "PREFIX": wfp.Prefix, "NOT_PREFIX": wfp.NotPrefix,
}

func conditionOf(c *snapshot.WFPCondition, v *volumes) wfp.Condition {
	match, known := comparisons[strings.TrimPrefix(c.Match, "FWP_MATCH_")]
	out := wfp.Condition{Field: wfp.Field(strings.TrimPrefix(c.Field, "FWPM_CONDITION_")), Match: match}
	if !known {
		out.Match = wfp.Match(c.Match)
	}
	switch c.Kind {
	case snapshot.WFPNumber:
		out.Value = wfp.Value{Kind: wfp.Number, Lo: c.Low, Hi: c.High}
	case snapshot.WFPAddress:
		from, err := netip.ParseAddr(c.First)
		to, err2 := netip.ParseAddr(c.Last)
		if out.Value = (wfp.Value{Kind: wfp.Address, From: from, To: to}); err != nil || err2 != nil {
			out.Value = wfp.Value{Unread: "it has no address"}
		}
	case snapshot.WFPText:
		out.Value = wfp.Value{Kind: wfp.Text, Text: c.Text}
		if out.Field == wfp.App {
			out.Value = v.program(c.Text)
		}
	case snapshot.WFPSDDL:
		out.Value = wfp.Value{Kind: wfp.SDDL, Text: c.Text}
	case snapshot.WFPSID:
		out.Value = wfp.Value{Kind: wfp.Text, Text: c.Text}
		if out.Field == wfp.User {
			out.Value = wfp.Value{Kind: wfp.SDDL, Text: "D:(A;;CC;;;" + c.Text + ")"}
		}
	default:
		out.Value = wfp.Value{Unread: "its value is " + string(c.Kind)}
	}
	return out
}

// volumes knows which drive a device is: filters name programs by devices (\device\harddiskvolume3\windows\...), listeners by drives.
type volumes struct {
	drive  string          // that Windows is on
	system string          // the device of the drive with \windows\system32\svchost.exe
	tails  map[string]bool // paths of listeners without their drive
}

const ofSystem = `\windows\system32\`

func volumesOf(w *snapshot.WindowsFilters, paths []string) *volumes {
	v := &volumes{tails: map[string]bool{}}
	for _, p := range paths {
		if len(p) > 2 && p[1] == ':' {
			v.tails[p[2:]] = true
		}
	}
	devices := map[string]int{}
	for i := range w.Filters {
		for j := range w.Filters[i].Conditions {
			c := &w.Filters[i].Conditions[j]
			if device, tail, ok := onDevice(strings.ToLower(c.Text)); ok && strings.HasPrefix(tail, ofSystem) && strings.HasSuffix(c.Field, string(wfp.App)) {
				devices[device]++
			}
		}
	}
	for d, n := range devices {
		if n > devices[v.system] || n == devices[v.system] && d < v.system {
			v.system = d
		}
	}
	return v
}

// onDevice parts \device\harddiskvolume3\windows\x into the device and the path on it.
func onDevice(s string) (device, tail string, ok bool) {
	rest, ok := strings.CutPrefix(s, `\device\`)
	at := strings.IndexByte(rest, '\\')
	if !ok || at < 0 {
		return "", "", false
	}
	return rest[:at], rest[at:], true
}

// program is the path of a program as listeners have it. Of a device that is not the system's drive it is not known whether a listener's
// program with the same path is meant.
func (v *volumes) program(s string) wfp.Value {
	s = mpssvc.Program(s)
	device, tail, ok := onDevice(s)
	switch {
	case !ok:
	case device == v.system && v.drive != mpssvc.UnknownDrive:
		s = v.drive + tail
	case v.tails[tail]:
		return wfp.Value{Unread: "it names a program on the device " + device}
	}
	return wfp.Value{Kind: wfp.Text, Text: s}
}
