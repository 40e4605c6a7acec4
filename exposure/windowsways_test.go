package exposure

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/wfp"
	"github.com/ringfence/ringfence/wfp/mpssvc"
	"github.com/ringfence/ringfence/zones"
)

// asExported are compiled filters as the engine would tell them: by the names of Windows, with programs on devices and interfaces by LUID.
func asExported(t *testing.T, s *snapshot.Snapshot, filters []wfp.Filter) (out []snapshot.WFPFilter) {
	t.Helper()
	matches := map[wfp.Match]string{}
	for name, m := range comparisons {
		matches[m] = "FWP_MATCH_" + name
	}
	actions := map[wfp.Action]string{wfp.Permit: "FWP_ACTION_PERMIT", wfp.Block: "FWP_ACTION_BLOCK"}
	for _, f := range filters {
		x := snapshot.WFPFilter{
			ID: f.ID, Name: f.Name, Layer: fmt.Sprintf("FWPM_LAYER_%s_V%d", f.Layer, map[bool]int{true: 4, false: 6}[f.V4]), Sublayer: "FWPM_SUBLAYER_" + f.Sublayer,
			EffectiveWeight: f.Weight, Action: actions[f.Action],
		}
		if f.Hard {
			x.Flags = []string{"FWPM_FILTER_FLAG_CLEAR_ACTION_RIGHT"}
		}
		for _, c := range f.Conditions {
			y := snapshot.WFPCondition{Field: "FWPM_CONDITION_" + string(c.Field), Match: matches[c.Match], Kind: snapshot.WFPValueKind(c.Value.Kind), Low: c.Value.Lo, High: c.Value.Hi, Text: c.Value.Text}
			switch {
			case c.Value.Kind == wfp.Address:
				y.First, y.Last = c.Value.From.String(), c.Value.To.String()
			case c.Field == wfp.App && strings.HasPrefix(c.Value.Text, "c:"):
				y.Text = `\device\harddiskvolume3` + c.Value.Text[2:]
			case c.Field == wfp.ArrivalInterface:
				for _, a := range s.Windows.Adapters.List {
					if a.GUID == c.Value.Text {
						y.Kind, y.Low, y.High, y.Text = snapshot.WFPNumber, a.LUID, a.LUID, ""
					}
				}
			case c.Value.Kind == "" || c.Field == mpssvc.WiFiDirect:
				t.Fatalf("%s has a condition that the engine has no words for", f.Name)
			}
			x.Conditions = append(x.Conditions, y)
		}
		out = append(out, x)
	}
	return out
}

// randomRule is a rule without what is in doubt.
func randomRule(r *rand.Rand) string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	var out strings.Builder
	out.WriteString("v2.31|Active=TRUE|Dir=In|Action=" + pick("Allow", "Allow", "Allow", "Block") + "|")
	if r.IntN(2) == 0 {
		out.WriteString("Profile=" + pick("Private", "Public", "Domain") + "|")
	}
	if r.IntN(4) > 0 {
		out.WriteString("Protocol=6|")
		if r.IntN(3) > 0 {
			out.WriteString(pick("LPort=5985|", "LPort=3389|", "LPort2_10=100-6000|", "LPort=5985|LPort=9000|", "LPort=RPC-EPMap|", "LPort=RPC|"))
		}
		if r.IntN(5) == 0 {
			out.WriteString(pick("RPort2_10=50000-65535|", "RPort=1024|"))
		}
	}
	for range r.IntN(3) {
		out.WriteString(pick("RA4=LocalSubnet|", "RA6=fe80::/10|", "RA4=192.168.0.0/16|", "RA4=172.17.0.0-172.17.255.255|", "RA4=DefaultGateway|", "RA6=fe80::/64|",
			"LA4=192.168.1.5|", "RA4=0.0.0.0-127.255.255.255|"))
	}
	if r.IntN(3) == 0 {
		out.WriteString(pick("App=System|", `App=%SystemRoot%\system32\svchost.exe|Svc=TermService|`, `App=%SystemRoot%\system32\svchost.exe|`,
			`App=C:\Program Files\nodejs\node.exe|`, "Svc=*|", "Svc=TermService|"))
	}
	if r.IntN(6) == 0 {
		out.WriteString(pick("IF={a}|", "IF={b}|IF={c}|", "IFType=Lan|", "IFType=Wireless|", "Edge=TRUE|", "AppPkgId=S-1-15-2-1|", "LUOwn=S-1-5-18|"))
	}
	return out.String()
}

// TestBothWays: rules, and the filters that the engine holds for them, give the same answers to 10,000 random questions.
func TestBothWays(t *testing.T) {
	asked, seen := 0, map[packet.Verdict]int{}
	for seed := uint64(0); asked < 10_000; seed++ {
		r := rand.New(rand.NewPCG(seed, 2))
		s := windowsHost()
		s.Windows.Adapters.List[2].Type = 23 // the engine knows the type, the rules the kind: of this one both are known
		local := &s.Windows.Firewall.Stores[0]
		for i := range 1 + r.IntN(6) {
			local.Rules = append(local.Rules, snapshot.FirewallRule{ID: fmt.Sprint("R", i), Text: randomRule(r)})
		}
		for i := range s.Windows.Listeners.List {
			l := &s.Windows.Listeners.List[i]
			l.Port += r.IntN(2) * 100
		}
		p := mpssvc.Compile(&s.Windows)
		s.Windows.Filters = snapshot.WindowsFilters{Read: yes("netsh wfp show state"), Filters: asExported(t, s, p.Filters)}
		// Conditions tell which device is the drive of the system; on a host some filter always does.
		s.Windows.Filters.Filters = append(s.Windows.Filters.Filters, snapshot.WFPFilter{
			Layer: "FWPM_LAYER_ALE_AUTH_CONNECT_V4", Action: "FWP_ACTION_BLOCK", Conditions: []snapshot.WFPCondition{{
				Field: "FWPM_CONDITION_ALE_APP_ID", Match: "FWP_MATCH_EQUAL", Kind: snapshot.WFPText, Text: `\device\harddiskvolume3\windows\system32\svchost.exe`,
			}},
		})
		for _, x := range p.Sublayers {
			s.Windows.Filters.Sublayers = append(s.Windows.Filters.Sublayers, snapshot.WFPSublayer{Key: "FWPM_SUBLAYER_" + x.Key, Weight: x.Weight})
		}
		for _, d := range NewWindows(s).Differences() {
			if !d.Unsure {
				t.Fatalf("seed %d: %+v\n%v", seed, d, local.Rules)
			}
		}
		for i, list := range NewWindows(s).Listeners([]int{0, 1, 2, 4, 5}, zones.Classify(s, nil).Origins) {
			for _, a := range list {
				asked++
				seen[a.Verdict]++
				if a.Registry == nil || a.Registry.Verdict != a.Verdict {
					t.Fatalf("seed %d, listener %d, origin %d: %s by the engine, %+v by the registry\n%v", seed, i, a.Origin, a.Verdict, a.Registry, local.Rules)
				}
			}
		}
	}
	if seen[packet.Reachable] < 1000 || seen[packet.Unreachable] < 1000 || seen[packet.Unknown] < 100 {
		t.Errorf("%v", seen)
	}
}

// TestFilterDifferences: a rule that the engine does not hold, a filter that no rule makes, and addresses that only one of them has.
func TestFilterDifferences(t *testing.T) {
	s := windowsHost(winrmRule+"Profile=Public|RA4=10.0.0.0/8|", "Protocol=6|LPort=22|Profile=Private|RA4=10.0.0.0/8|", "Protocol=6|LPort=23|Profile=Domain|")
	p := mpssvc.Compile(&s.Windows)
	f := &s.Windows.Filters
	f.Read, f.Filters = yes("netsh wfp show state"), asExported(t, s, p.Filters)
	if d := NewWindows(s).Differences(); len(d) > 0 {
		t.Fatalf("%+v", d)
	}
	var kept []snapshot.WFPFilter
	for _, x := range f.Filters {
		switch {
		case strings.HasPrefix(x.Name, "rule B"):
			continue
		case strings.HasPrefix(x.Name, "rule A"):
			for i := range x.Conditions {
				if x.Conditions[i].Kind == snapshot.WFPAddress {
					x.Conditions[i].Last = "255.255.255.255"
				}
			}
			port := x
			port.Name, port.Conditions = "rule of nobody", append([]snapshot.WFPCondition{}, x.Conditions...)
			for i := range port.Conditions {
				if port.Conditions[i].Low == 5985 {
					port.Conditions[i].Low, port.Conditions[i].High = 5986, 5986
				}
			}
			kept = append(kept, port)
		}
		kept = append(kept, x)
	}
	f.Filters = kept
	d := NewWindows(s).Differences()
	if len(d) != 3 {
		t.Fatalf("%d: %+v", len(d), d)
	}
	for _, x := range d {
		switch {
		case strings.Contains(x.About, "PORT 22") && len(x.Held) == 0 && x.OnlyRules[0] == "10.0.0.0-10.255.255.255":
		case strings.Contains(x.About, "PORT 5985") && len(x.OnlyRules) == 0 && x.OnlyHeld[0] == "11.0.0.0-255.255.255.255":
		case strings.Contains(x.About, "PORT 5986") && len(x.Rules) == 0 && x.Held[0] == "rule of nobody":
		default:
			t.Errorf("%+v", x)
		}
		if x.Unsure {
			t.Errorf("%s is not certain", x.About)
		}
	}
}

// TestDifferencesApiece: the engine has a filter for each port of a rule, and the code of an ICMP message in the field of the remote port.
func TestDifferencesApiece(t *testing.T) {
	s := windowsHost("Protocol=6|LPort=23554|LPort=23555|LPort2_10=24000-24010|Profile=Private|", "Protocol=1|ICMP4=3:4|ICMP4=8:*|Profile=Private|")
	filters := mpssvc.Compile(&s.Windows).Filters
	var kept []wfp.Filter
	for _, f := range filters {
		var ports, rest []wfp.Condition
		for _, c := range f.Conditions {
			if c.Field == wfp.LocalPort {
				ports = append(ports, c)
				continue
			}
			rest = append(rest, c)
		}
		for _, p := range ports {
			x := f
			x.Conditions = append([]wfp.Condition{p}, rest...)
			kept = append(kept, x)
		}
		if len(ports) == 0 {
			kept = append(kept, f)
		}
	}
	if len(kept) != len(filters)+4 { // two ports more, of each family
		t.Errorf("%d of %d", len(kept), len(filters))
	}
	s.Windows.Filters.Read, s.Windows.Filters.Filters = yes("netsh wfp show state"), asExported(t, s, kept)
	code := 0
	for _, f := range s.Windows.Filters.Filters {
		for _, c := range f.Conditions {
			if c.Field == "FWPM_CONDITION_IP_REMOTE_PORT" && c.Low == 4 && strings.Contains(f.Name, "rule B") {
				code++
			}
		}
	}
	if d := NewWindows(s).Differences(); len(d) > 0 || code != 1 {
		t.Errorf("%d with the code, %+v", code, d)
	}
	kept = slices.DeleteFunc(kept, func(f wfp.Filter) bool {
		return slices.ContainsFunc(f.Conditions, func(c wfp.Condition) bool { return c.Field == wfp.LocalPort && c.Value.Lo == 23555 })
	})
	s.Windows.Filters.Filters = asExported(t, s, kept)
	if d := NewWindows(s).Differences(); len(d) != 2 || d[0].Unsure || !strings.Contains(d[0].About, "23555") {
		t.Errorf("without a port: %+v", d)
	}
}

// TestUntoldDifferences: what the engine alone has may be what a rule stands for whose addresses were not told, and no other rule.
func TestUntoldDifferences(t *testing.T) {
	s := windowsHost(winrmRule+"Profile=Public|RA4=LocalSubnet|", "Protocol=6|LPort=22|Profile=Public|RA4=10.0.0.0/8|")
	p := mpssvc.Compile(&s.Windows)
	f := &s.Windows.Filters
	f.Read, f.Filters = yes("netsh wfp show state"), asExported(t, s, p.Filters)
	s.Windows.Adapters.List[1].RoutesTold = false
	for i := range f.Filters {
		for j := range f.Filters[i].Conditions {
			if c := &f.Filters[i].Conditions[j]; c.Kind == snapshot.WFPAddress && strings.Contains(c.First, ".") {
				c.First, c.Last = "0.0.0.0", "255.255.255.255"
			}
		}
	}
	d := NewWindows(s).Differences()
	if len(d) != 2 || d[0].Unsure == d[1].Unsure || !strings.Contains(d[0].About+d[1].About, "PORT 22") {
		t.Fatalf("%+v", d)
	}
	for _, x := range d {
		if x.Unsure != strings.Contains(x.About, "PORT 5985") {
			t.Errorf("%+v", x)
		}
	}
}

// TestDifferencesOfIPv6: what LocalSubnet stands for over IPv6 is not known, so that the engine lacks nothing of it for certain.
func TestDifferencesOfIPv6(t *testing.T) {
	s := windowsHost(winrmRule + "Profile=Private|RA4=LocalSubnet|RA6=LocalSubnet|")
	f := &s.Windows.Filters
	f.Read = yes("netsh wfp show state")
	for _, x := range asExported(t, s, mpssvc.Compile(&s.Windows).Filters) {
		if !strings.HasPrefix(x.Name, "rule A") || strings.HasSuffix(x.Layer, "_V4") {
			f.Filters = append(f.Filters, x)
		}
	}
	if d := NewWindows(s).Differences(); len(d) > 0 {
		t.Errorf("%+v", d)
	}
}

// TestDifferencesAreBounded: few rules with many ports, and a long program or many addresses, take no memory for each pair; rules that are there
// thousands of times no time. What is left out is missing on neither side for certain.
func TestDifferencesAreBounded(t *testing.T) {
	some := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, 2*i+1)
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		rules  int
		rule   string
		unsure bool
	}{
		"a long program":  {4, "Protocol=6|App=C:\\" + strings.Repeat("x", 15000) + ".exe|" + some(4000, "LPort=%d|"), true},
		"many addresses":  {4, "Protocol=6|" + some(2000, "LPort=%d|") + some(120, "RA4=10.0.0.%d|") + some(2000, "RA6=fd00::%d|"), true},
		"many short ones": {300, "Protocol=6|App=C:\\%d.exe|" + some(4000, "LPort=%d|"), true},
		"the same again":  {5000, "Protocol=6|" + some(10, "LPort=%d|"), false},
	} {
		rules := slices.Repeat([]string{c.rule}, c.rules)
		for i := range rules {
			rules[i] = strings.Replace(c.rule, "%d", strconv.Itoa(i), 1)
		}
		s := windowsHost(rules...)
		for i := range s.Windows.Firewall.Stores[0].Rules {
			s.Windows.Firewall.Stores[0].Rules[i].ID = fmt.Sprint("rule ", i)
		}
		other := windowsHost("Protocol=6|LPort=2|")
		s.Windows.Filters.Read, s.Windows.Filters.Filters = yes("netsh wfp show state"), asExported(t, s, mpssvc.Compile(&other.Windows).Filters)
		w := NewWindows(s)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		list := w.Differences()
		runtime.ReadMemStats(&after)
		if mb, took := (after.TotalAlloc-before.TotalAlloc)>>20, time.Since(start); mb > 800 || took > 60*time.Second {
			t.Errorf("%s: %d MB, %s", name, mb, took)
		}
		for _, d := range list {
			if len(d.OnlyHeld) > 0 && d.Unsure != c.unsure || len(d.Rules) > maxNames {
				t.Errorf("%s: %d rules, %+v", name, len(d.Rules), d.OnlyHeld)
			}
		}
		if len(list) == 0 || len(list) > 150_000 {
			t.Errorf("%s: %d things differ", name, len(list))
		}
	}
}

// TestProofsAreBounded: what a proof costs is taken from the effort of the host, and by conditions: few rules can have many, each of them tried for each
// piece of the proof.
func TestProofsAreBounded(t *testing.T) {
	var some strings.Builder
	for i := range 900 {
		fmt.Fprintf(&some, "RA4=%d.%d.%d.7|", 11+i>>14, i>>7&127, i&127*2)
	}
	rules := []string{"Protocol=6|LPort=5985|"}
	for i := range 200 {
		rules = append(rules, fmt.Sprintf("Protocol=6|LPort=5985|LPort=3389|LPort=%d|%sAction=Block|", 10000+i, some.String()))
	}
	s := windowsHost(rules...)
	for i := range s.Windows.Firewall.Stores[0].Rules {
		s.Windows.Firewall.Stores[0].Rules[i].ID = fmt.Sprint("rule ", i)
	}
	w := NewWindows(s)
	list := make([]int, len(s.Windows.Listeners.List))
	for i := range list {
		list[i] = i
	}
	answers := w.Listeners(list, zones.Classify(s, nil).Origins)
	if w.left < -2*windowsLooks/3 {
		t.Errorf("%d looks more than there are", -w.left)
	}
	verdicts := map[packet.Verdict]int{}
	for _, of := range answers {
		for _, a := range of {
			verdicts[a.Verdict]++
		}
	}
	if verdicts[packet.Reachable] == 0 || verdicts[packet.Unknown] == 0 {
		t.Error(verdicts)
	}
}

// TestManyAddressesOfAnInterface: what neighbours of an interface have is not looked up again for each of its addresses.
func TestManyAddressesOfAnInterface(t *testing.T) {
	s := windowsHost("Protocol=6|LPort=5985|", "Protocol=6|LPort=3389|LA4=192.168.1.5|")
	a := &s.Windows.Adapters.List[0]
	for i := range 1500 {
		a.Addrs = append(a.Addrs, fmt.Sprintf("10.%d.%d.1/24", i>>8, i&255))
	}
	w, origins := NewWindows(s), zones.Classify(s, nil).Origins
	start := time.Now()
	answers := w.Listeners([]int{0, 2}, origins)
	if took := time.Since(start); took > 30*time.Second {
		t.Error(took)
	}
	for i, of := range answers {
		if !slices.ContainsFunc(of, func(a OfWindows) bool { return a.Verdict == packet.Reachable && a.Witness != nil }) {
			t.Errorf("listener %d: nobody reaches it", i)
		}
	}
}
