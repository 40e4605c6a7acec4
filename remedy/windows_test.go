package remedy_test

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// onWindows is a Windows host with these rules besides its own, and its report.
func onWindows(t *testing.T, rules ...string) (*snapshot.Snapshot, *finding.Report) {
	t.Helper()
	s := fixtures.WindowsHost()
	for _, text := range rules {
		st := &s.Windows.Firewall.Stores[0]
		st.Rules = append(st.Rules, snapshot.FirewallRule{ID: text, Text: text})
	}
	return s, judged(t, s)
}

var policies = sync.OnceValues(func() (*judge.Policies, error) { return judge.Load() })

func judged(t *testing.T, s *snapshot.Snapshot) *finding.Report {
	t.Helper()
	p, err := policies()
	if err != nil {
		t.Fatal(err)
	}
	r, err := judge.Judge(t.Context(), s, p, new(judge.Config), "0")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const lets = "v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|"

// TestWindowsPlan: the narrowest block rules, in two scripts with what undoes them; with them nothing is found any more that they close.
func TestWindowsPlan(t *testing.T) {
	s, r := onWindows(t, lets+"LPort=445|RA4=LocalSubnet|App=System|Name=smb|")
	p := remedy.Make(r, s, zones.Config{}, remedy.Options{})
	if len(p.Closes) != 1 || p.Closes[0].Check != "windows/smb-reachable" || p.Windows == nil || len(p.Windows.Rules) != 2 {
		t.Fatalf("%+v %+v", p.Closes, p.Windows)
	}
	w := p.Windows
	for _, want := range []string{
		" -DisplayName 'ringfence: tcp 445 from vEthernet (WSL) (IPv4)' -Group 'ringfence' -Direction Inbound -Action Block -Profile Any " +
			"-Protocol TCP -LocalPort 445 -RemoteAddress '172.17.112.0-172.17.127.255'\n",
	} {
		if !strings.Contains(w.PowerShell, want) {
			t.Errorf("want %s in\n%s", want, w.PowerShell)
		}
	}
	const netsh = `netsh advfirewall firewall add rule name="ringfence: tcp 445 from vEthernet (WSL) (IPv4)" dir=in action=block profile=any ` +
		`protocol=TCP localport=445 remoteip=172.17.112.0-172.17.127.255` + "\n"
	const undo = `netsh advfirewall firewall delete rule name="ringfence: tcp 445 from vEthernet (WSL) (IPv4)" dir=in` + "\n"
	if !strings.Contains(w.Netsh, netsh) || !strings.Contains(w.UndoNetsh, undo) || strings.Count(w.Netsh, "\n") != strings.Count(w.UndoNetsh, "\n") {
		t.Errorf("netsh:\n%s\nundo:\n%s", w.Netsh, w.UndoNetsh)
	}
	made, unmade := regexp.MustCompile(`(?m)^New-NetFirewallRule -Name ('ringfence-[0-9a-f]{16}') `), regexp.MustCompile(`(?m)^Remove-NetFirewallRule -Name ('ringfence-[0-9a-f]{16}')$`)
	of := func(list [][]string) (ids []string) {
		for _, m := range list {
			ids = append(ids, m[1])
		}
		return ids
	}
	ids := of(made.FindAllStringSubmatch(w.PowerShell, -1))
	if len(ids) != 2 || ids[0] == ids[1] || !slices.Equal(ids, of(unmade.FindAllStringSubmatch(w.UndoShell, -1))) || strings.Count(w.UndoShell, "\n") != 2 {
		t.Errorf("what is made is not what is undone:\n%s\n%s", w.PowerShell, w.UndoShell)
	}
	if w.Closed != 2 || w.Same == 0 {
		t.Errorf("%+v", w)
	}
	st := &s.Windows.Firewall.Stores[0]
	for i := range w.Rules {
		st.Rules = append(st.Rules, snapshot.FirewallRule{ID: w.Rules[i].Name, Text: w.Rules[i].Text})
	}
	for _, res := range judged(t, s).Results {
		if res.ID == "windows/smb-reachable" && res.Status != finding.Pass {
			t.Errorf("with the rules: %+v", res)
		}
	}
}

// TestWindowsPlanKeepsAdministrators: what a host is administered by is closed to outside only if somebody keeps access.
func TestWindowsPlanKeepsAdministrators(t *testing.T) {
	s, r := onWindows(t, lets+"LPort=5985|App=System|Name=winrm|")
	rules := func(p *remedy.Plan) (names []string) {
		for i := range p.Windows.Rules {
			names = append(names, p.Windows.Rules[i].Zone)
		}
		return names
	}
	p := remedy.Make(r, s, zones.Config{}, remedy.Options{})
	for _, zone := range rules(p) {
		if zone == zones.External {
			t.Errorf("closed to everybody: %+v", p.Windows.Rules)
		}
	}
	if len(p.Manual) == 0 || !strings.Contains(p.Manual[0].Text, "--allow-from") {
		t.Errorf("manual: %+v", p.Manual)
	}
	p = remedy.Make(r, s, zones.Config{}, remedy.Options{AllowFrom: []netip.Prefix{netip.MustParsePrefix("192.168.1.0/28")}})
	if !strings.Contains(p.Windows.PowerShell, "-192.168.0.255','192.168.1.16-") {
		t.Errorf("who keeps access is not left out:\n%s", p.Windows.PowerShell)
	}
}

// TestWindowsPlanByFilters: where the engine's filters decide, the proof is about them; a rule that a hard permit of somebody else overrules is not
// proposed.
func TestWindowsPlanByFilters(t *testing.T) {
	held := func(s *snapshot.Snapshot, flags ...string) {
		s.Windows.Filters = snapshot.WindowsFilters{
			Read:      snapshot.Fact{State: snapshot.Present},
			Sublayers: []snapshot.WFPSublayer{{Key: "FWPM_SUBLAYER_MPSSVC_WF", Weight: 2}, {Key: "{vpn}", Weight: 1000}},
			Layers:    []snapshot.WFPLayer{{Key: "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4"}},
			Filters: []snapshot.WFPFilter{
				{ID: 1, Name: "all", Layer: "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4", Sublayer: "FWPM_SUBLAYER_MPSSVC_WF", Action: "FWP_ACTION_PERMIT", EffectiveWeight: 1 << 60},
				{ID: 2, Name: "vpn", Layer: "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4", Sublayer: "{vpn}", Action: "FWP_ACTION_PERMIT", EffectiveWeight: 1, Flags: flags},
				{ID: 4, Name: "none", Layer: "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4", Sublayer: "FWPM_SUBLAYER_MPSSVC_WF", Action: "FWP_ACTION_BLOCK", EffectiveWeight: 1},
				{ID: 3, Name: "none", Layer: "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V6", Sublayer: "FWPM_SUBLAYER_MPSSVC_WF", Action: "FWP_ACTION_BLOCK", EffectiveWeight: 1},
			},
		}
	}
	s := fixtures.WindowsHost()
	held(s)
	p := remedy.Make(judged(t, s), s, zones.Config{}, remedy.Options{})
	closes := func() (n int) {
		for i := range p.Closes {
			if p.Closes[i].Check == "windows/smb-reachable" {
				n++
			}
		}
		return n
	}
	if closes() != 1 {
		t.Errorf("not closed: %+v", p.Manual)
	}
	for what, change := range map[string]func(w *snapshot.Windows){
		"the firewall is off": func(w *snapshot.Windows) {
			for i := range w.Firewall.Stores[0].Profiles {
				w.Firewall.Stores[0].Profiles[i].EnableFirewall = new(uint32(0))
			}
		},
		"it takes the rules of a policy alone": func(w *snapshot.Windows) {
			for _, p := range []snapshot.WindowsProfile{snapshot.ProfileDomain, snapshot.ProfilePrivate, snapshot.ProfilePublic} {
				w.Firewall.Stores[1].Profiles = append(w.Firewall.Stores[1].Profiles, snapshot.FirewallProfile{Profile: p, AllowLocalPolicyMerge: new(uint32(0))})
			}
		},
		"the engine has none of its filters": func(w *snapshot.Windows) { w.Filters.Filters = w.Filters.Filters[:2] },
		"of another profile alone": func(w *snapshot.Windows) {
			w.Filters.Filters[2].Conditions = []snapshot.WFPCondition{{
				Field: "FWPM_CONDITION_ORIGINAL_PROFILE_ID", Match: "FWP_MATCH_EQUAL", Type: "FWP_UINT32", Kind: snapshot.WFPNumber, Low: 3, High: 3,
			}}
		},
		"nothing of the registry was read": func(w *snapshot.Windows) {
			w.Firewall.Read = snapshot.Fact{State: snapshot.Error, Reason: "not read"}
		},
	} {
		s := fixtures.WindowsHost()
		held(s)
		change(&s.Windows)
		if p = remedy.Make(judged(t, s), s, zones.Config{}, remedy.Options{}); closes() != 0 || len(p.Windows.Rules) != 0 {
			t.Errorf("%s, and a rule is proven to close: %+v", what, p.Windows.Rules)
		}
	}
	held(s, "FWPM_FILTER_FLAG_CLEAR_ACTION_RIGHT")
	p = remedy.Make(judged(t, s), s, zones.Config{}, remedy.Options{})
	if closes() != 0 || !strings.Contains(p.Describe(func(s string, _ bool) string { return s }), "no rule is proposed: by the model tcp 445 stays reachable") {
		t.Errorf("a rule that does not hold is proposed: %+v", p.Windows)
	}
}

// TestWindowsPlanQuotes: names of a host stay inside their quotes, whichever encoding a script is read in.
func TestWindowsPlanQuotes(t *testing.T) {
	for _, c := range []struct{ name, display, alias string }{
		{"v'; rm \"&|%PATH%\u2019", "v''; rm ____PATH__", `('' + 'v''; rm "&|%PATH%' + [char]8217)`},
		{"a\nRemove-Item C:\\ -Recurse #", `a_Remove-Item C:\ -Recurse #`, `('' + 'a' + [char]10 + 'Remove-Item C:\ -Recurse #')`},
		{"\u00d2 ; calc ; #", "_ ; calc ; #", "('' + [char]210 + ' ; calc ; #')"}, // in code page 1252 its second byte is a quote
		{"$(calc)`whoami`", "_(calc)_whoami_", "'$(calc)``whoami``'"},
		{"\u201d & calc & \u201c", "_ _ calc _ _", "('' + [char]8221 + ' & calc & ' + [char]8220)"},
		{"LAN [2]*?", "LAN _2___", "'LAN `[2`]`*`?'"},
		{"\U0001f600", "_", "('' + [char]55357 + [char]56832)"},
	} {
		s := fixtures.WindowsHost()
		for i := range s.Windows.Adapters.List {
			a := &s.Windows.Adapters.List[i]
			if a.Kind == snapshot.NetworkWSL {
				a.Name, a.GUID, a.Addrs = c.name, "{11111111-2222-3333-4444-555555555555}", []string{"172.17.112.1/20"}
				twin := *a // with the same addresses, so that the interface tells them apart
				twin.Name, twin.Kind, twin.GUID, twin.Index = "other", "", "{11111111-2222-3333-4444-666666666666}", 99
				s.Windows.Adapters.List = append(s.Windows.Adapters.List, twin)
			}
		}
		s.Windows.Firewall.Stores[0].Rules = append(s.Windows.Firewall.Stores[0].Rules, snapshot.FirewallRule{ID: "a", Text: lets + "LPort=445|App=System|Name=smb|"})
		w := remedy.Make(judged(t, s), s, zones.Config{}, remedy.Options{}).Windows
		if !strings.Contains(w.PowerShell, " -DisplayName 'ringfence: tcp 445 from "+c.display+" (IPv4)' ") || !strings.Contains(w.PowerShell, " -InterfaceAlias "+c.alias+" -") {
			t.Errorf("%q: %s", c.name, w.PowerShell)
		}
		for _, text := range []string{w.PowerShell, w.UndoShell, w.Netsh, w.UndoNetsh} {
			if strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && (r < ' ' || r > '~') }) {
				t.Errorf("%q: a script is not ASCII: %q", c.name, text)
			}
		}
		if strings.Count(w.PowerShell, "\n") != len(w.Rules) || strings.ContainsAny(w.Netsh+w.UndoNetsh, "&%$`|<>^!") {
			t.Errorf("%q: %s\n%s", c.name, w.PowerShell, w.Netsh)
		}
	}
}
