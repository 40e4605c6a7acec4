package winhost

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/registry"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/wfp/mpssvc"
)

// filesIn are the files of a directory; the names in without are left out.
func filesIn(t testing.TB, dir string, without ...string) []File {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var files []File
	for _, e := range entries {
		if slices.Contains(without, e.Name()) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, text(e.Name(), string(b)))
	}
	return files
}

func text(name, s string) File {
	return File{Name: name, Size: int64(len(s)), ReaderAt: strings.NewReader(s)}
}

func snapshotOf(t testing.TB, files ...File) *snapshot.Snapshot {
	t.Helper()
	s, _, err := FromFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	snap := s.Snapshot(snapshot.Tool{Name: "ringfence", Version: "test"}, time.Unix(0, 0))
	var b bytes.Buffer
	if err := snap.Write(&b); err != nil {
		t.Fatal(err)
	}
	if snap, err = snapshot.Load(&b); err != nil {
		t.Fatalf("what was made is no snapshot: %v", err)
	}
	return snap
}

// TestWhatIsSeen: what files of a host tell, part by part.
func TestWhatIsSeen(t *testing.T) {
	s := snapshotOf(t, filesIn(t, "testdata/wsl")...)
	w := &s.Windows
	if s.Host.Name != "DESKTOP-7Q2" || w.System.Build != 19045 || w.System.LocalAccountTokenFilterPolicy.Value != "1" {
		t.Errorf("host %+v, system %+v", s.Host, w.System)
	}
	if c := s.Section("windows"); c.Status != snapshot.Partial || !slices.Equal(c.Parts, []string{"groups", "pipes"}) {
		t.Errorf("coverage %+v", c)
	}
	wantStates := map[snapshot.FirewallStoreName]snapshot.Status{
		snapshot.StoreLocal: snapshot.Present, snapshot.StoreGPO: snapshot.Absent, snapshot.StoreMDM: snapshot.Absent, snapshot.StoreAppIso: snapshot.Absent,
		snapshot.StoreStatic: snapshot.Absent, snapshot.StoreConfigurable: snapshot.Absent,
	}
	for _, st := range w.Firewall.Stores {
		if st.Read.State != wantStates[st.Store] {
			t.Errorf("store %s: %+v", st.Store, st.Read)
		}
	}
	local := w.Firewall.Stores[0]
	if len(local.Rules) != 5 || len(local.Profiles) != 3 || *local.Profiles[2].EnableFirewall != 1 || *local.Profiles[2].LogDropped != 0 {
		t.Errorf("local store: %+v", local)
	}
	kinds := map[string]snapshot.WindowsNetworkKind{}
	profiles := map[string]snapshot.WindowsProfile{}
	for _, a := range w.Adapters.List {
		kinds[a.Name], profiles[a.Name] = a.Kind, a.Profile
	}
	if d := cmp.Diff(kinds, map[string]snapshot.WindowsNetworkKind{
		"Ethernet": "", "vEthernet (WSL)": snapshot.NetworkWSL, "Local Area Connection* 2": snapshot.NetworkICS, "Loopback Pseudo-Interface 1": snapshot.NetworkLoopback,
	}); d != "" || profiles["Ethernet"] != snapshot.ProfilePrivate {
		t.Errorf("adapters: %s %v", d, profiles)
	}
	var tcp []int
	for _, l := range w.Listeners.List {
		if l.Proto == "tcp" {
			tcp = append(tcp, l.Port)
		}
		if l.Port == 3389 && (l.Service != "TermService" || l.Path != `C:\Windows\System32\svchost.exe`) || l.Port == 445 && l.OwnerState != snapshot.OwnersKernel {
			t.Errorf("listener %+v", l)
		}
	}
	if !slices.Equal(tcp, []int{135, 445, 445, 2222, 3389, 5985, 5985, 18789}) {
		t.Errorf("TCP ports %v", tcp)
	}
	if len(w.WinRM.Listeners) != 1 || w.WinRM.Listeners[0].Port != 5985 || w.WinRM.Settings["auth_basic"].Value != "1" || len(w.WinRM.RootSDDL.Entries) != 2 {
		t.Errorf("WinRM %+v", w.WinRM)
	}
	if len(w.PortProxy.List) != 1 || w.PortProxy.List[0] != (snapshot.WindowsPortRelay{Kind: "v4tov4", Proto: "tcp", Addr: "0.0.0.0", Port: 2222, ToAddr: "172.17.112.5", ToPort: 22}) {
		t.Errorf("portproxy %+v", w.PortProxy)
	}
	if u := w.Listeners.URLs; len(u) != 1 || u[0].ACL.Entries[0].SID != "S-1-5-20" {
		t.Errorf("URLs %+v", u)
	}
	if len(w.Agents.List) != 1 || w.Agents.List[0].Port != 18789 {
		t.Errorf("agents %+v", w.Agents)
	}
}

// TestFilters: what an export of netsh says, in its own words; of other layers it is only counted.
func TestFilters(t *testing.T) {
	w := snapshotOf(t, filesIn(t, "testdata/wsl")...).Windows.Filters
	if len(w.Filters) != 3 || w.Skipped["FWPM_LAYER_ALE_AUTH_CONNECT_V4"] != 1 || len(w.Callouts) != 1 || len(w.Layers) != 2 || w.Sublayers[0].Weight != 2 {
		t.Fatalf("%+v", w)
	}
	want := snapshot.WFPFilter{
		ID: 70001, Key: "{0e5d1a50-0000-4000-8000-0000000000aa}", Name: "Windows Remote Management (HTTP-In)", Description: "Inbound rule",
		Provider: "FWPM_PROVIDER_MPSSVC_WF", Layer: "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4", Sublayer: "FWPM_SUBLAYER_MPSSVC_WF",
		Flags: []string{"FWPM_FILTER_FLAG_INDEXED"}, Weight: 9, WeightType: "FWP_UINT8", EffectiveWeight: 10955049011408400384, Action: "FWP_ACTION_PERMIT",
		Conditions: []snapshot.WFPCondition{
			{Field: "FWPM_CONDITION_ALE_APP_ID", Match: "FWP_MATCH_EQUAL", Type: "FWP_BYTE_BLOB_TYPE", Kind: snapshot.WFPText, Text: "System"},
			{Field: "FWPM_CONDITION_ORIGINAL_PROFILE_ID", Match: "FWP_MATCH_EQUAL", Type: "FWP_UINT32", Kind: snapshot.WFPNumber, Low: 1, High: 1},
			{Field: "FWPM_CONDITION_IP_REMOTE_ADDRESS", Match: "FWP_MATCH_RANGE", Type: "FWP_UINT32", Kind: snapshot.WFPAddress, First: "172.17.112.0", Last: "172.17.127.255"},
			{Field: "FWPM_CONDITION_IP_LOCAL_PORT", Match: "FWP_MATCH_EQUAL", Type: "FWP_UINT16", Kind: snapshot.WFPNumber, Low: 5985, High: 5985},
			{Field: "FWPM_CONDITION_IP_PROTOCOL", Match: "FWP_MATCH_EQUAL", Type: "FWP_UINT8", Kind: snapshot.WFPNumber, Low: 6, High: 6},
		},
	}
	if d := cmp.Diff(w.Filters[1], want); d != "" {
		t.Error(d)
	}
}

// TestSourcesAgree: hives say what the texts say of which they were made, byte by byte, and an export of the firewall what is its part.
func TestSourcesAgree(t *testing.T) {
	written := func(files []File) string {
		var b bytes.Buffer
		if err := snapshotOf(t, files...).Write(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if d := cmp.Diff(written(filesIn(t, "testdata/wsl")), written(filesIn(t, "testdata/hives"))); d != "" {
		t.Error(d)
	}
	whole := snapshotOf(t, filesIn(t, "testdata/wsl")...).Windows.Firewall.Stores[0]
	if d := cmp.Diff(snapshotOf(t, filesIn(t, "testdata/wfw")...).Windows.Firewall.Stores[0], whole); d != "" {
		t.Error(d)
	}
}

// TestLogsOfHives: a hive that was not written to its end says with its log what it was to say; without it, or with one that is damaged, it is a gap.
func TestLogsOfHives(t *testing.T) {
	hives := func(log func([]byte) []byte) []File {
		files := filesIn(t, "testdata/hives", "SYSTEM")
		for _, f := range filesIn(t, "testdata/logs") {
			if f.Name != "SYSTEM" {
				b := make([]byte, f.Size)
				if _, err := f.ReadAt(b, 0); err != nil {
					t.Fatal(err)
				}
				if b = log(b); b == nil {
					continue
				}
				f = text("system.log1", string(b))
			}
			files = append(files, f)
		}
		return files
	}
	want := snapshotOf(t, filesIn(t, "testdata/hives")...)
	whole := hives(func(b []byte) []byte { return b })
	if _, ignored, err := FromFiles(whole); err != nil || len(ignored) > 0 {
		t.Errorf("%v, %q", err, ignored)
	}
	got := snapshotOf(t, append(whole, text("SYSTEM.LOG2", ""))...)
	if d := cmp.Diff(want.Windows, got.Windows); d != "" || got.Host.Name != "DESKTOP-7Q2" {
		t.Errorf("%s: %s", got.Host.Name, d)
	}
	for name, log := range map[string]func([]byte) []byte{
		"no log": func([]byte) []byte { return nil }, "a damaged one": func(b []byte) []byte { b[600]++; return b }, "of an older Windows": func(b []byte) []byte { b[28] = 1; return b },
	} {
		if c := snapshotOf(t, hives(log)...).Section("windows"); !slices.Contains(c.Parts, "firewall") || !slices.ContainsFunc(c.Reasons, func(r string) bool { return strings.Contains(r, "SYSTEM was not written to its end") }) {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// TestOlderHives holds that of two hives of the same keys the later one counts alone, wherever it lies, and that the other is named.
func TestOlderHives(t *testing.T) {
	written := func(name string, at uint64) File {
		b, err := os.ReadFile("testdata/hives/SYSTEM")
		if err != nil {
			t.Fatal(err)
		}
		binary.LittleEndian.PutUint64(b[12:], at)
		sum := uint32(0)
		for i := 0; i < 508; i += 4 {
			sum ^= binary.LittleEndian.Uint32(b[i:])
		}
		binary.LittleEndian.PutUint32(b[508:], sum)
		return File{Name: name, Size: int64(len(b)), ReaderAt: bytes.NewReader(b)}
	}
	old := filesIn(t, "testdata/logs", "SYSTEM.LOG1")[0]
	old.Name = "config/RegBack/SYSTEM"
	backup, later := written("Windows.old/SYSTEM", 1<<56), written("config/SYSTEM", 1<<57)
	for _, files := range [][]File{{old, backup, later}, {backup, later}, {written("a/SYSTEM", 1<<57), written("b/SYSTEM", 1<<57)}} {
		_, ignored, err := FromFiles(files)
		if err != nil {
			t.Fatal(err)
		}
		if len(ignored) != len(files)-1 || !strings.Contains(ignored[0], "SYSTEM counts") {
			t.Errorf("of %d hives of the system these are named: %q", len(files), ignored)
		}
		if d := cmp.Diff(snapshotOf(t, later).Windows, snapshotOf(t, files...).Windows); d != "" {
			t.Errorf("of %d hives of the system not the later one alone counts: %s", len(files), d)
		}
	}
}

// TestNotShown: what a text has nothing of is not known, and never absent.
func TestNotShown(t *testing.T) {
	const head = "Windows Registry Editor Version 5.00\n[HKEY_LOCAL_MACHINE\\"
	for name, c := range map[string]struct {
		reg  string
		want snapshot.Status // of the store of policies
	}{
		"local rules alone":     {head + localPolicy + `\FirewallRules]` + "\n", snapshot.Error},
		"other policies":        {head + `SOFTWARE\Policies\Microsoft\Edge]` + "\n", snapshot.Error},
		"all policies":          {head + `SOFTWARE\Policies]` + "\n", snapshot.Absent},
		"all of the software":   {head + "SOFTWARE]\n", snapshot.Absent},
		"a policy of firewalls": {head + groupPolicy + `\DomainProfile]` + "\n", snapshot.Error},
		"policies of firewalls": {head + groupPolicy + "]\n[HKEY_LOCAL_MACHINE\\" + groupPolicy + `\DomainProfile]` + "\n", snapshot.Present},
	} {
		s := snapshotOf(t, text("a.reg", c.reg))
		if got := s.Windows.Firewall.Stores[1].Read; got.State != c.want {
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
		if s.Section("windows").Status == snapshot.OK {
			t.Errorf("%s: everything was seen", name)
		}
	}
}

// TestPartsOfKeys: a text of a part of a key says nothing of the rest: not that the firewall is on, that WinRM has no listener, nor that no port is
// passed on.
func TestPartsOfKeys(t *testing.T) {
	reg := func(keys ...string) *snapshot.Windows {
		var out strings.Builder
		out.WriteString("Windows Registry Editor Version 5.00\n")
		for _, k := range keys {
			out.WriteString("[HKEY_LOCAL_MACHINE\\" + k + "]\n")
		}
		return &snapshotOf(t, text("a.reg", out.String())).Windows
	}
	store := []string{localPolicy, localPolicy + `\DomainProfile`, localPolicy + `\FirewallRules`, localPolicy + `\PublicProfile`, localPolicy + `\StandardProfile`}
	for name, c := range map[string]struct {
		part, all []string
		read      func(*snapshot.Windows) snapshot.Fact
	}{
		"rules":     {[]string{localPolicy + `\FirewallRules`}, store, func(w *snapshot.Windows) snapshot.Fact { return w.Firewall.Stores[0].Read }},
		"profiles":  {[]string{localPolicy + `\DomainProfile`, localPolicy + `\StandardProfile`, localPolicy + `\PublicProfile`}, store, func(w *snapshot.Windows) snapshot.Fact { return w.Firewall.Stores[0].Read }},
		"a cut one": {store[:3], store, func(w *snapshot.Windows) snapshot.Fact { return w.Firewall.Stores[0].Read }},
		"a profile": {[]string{localPolicy + `\DomainProfile`, localPolicy + `\FirewallRules`, localPolicy + `\PublicProfile`}, []string{
			localPolicy + `\ConSecRules`, localPolicy + `\DomainProfile`, localPolicy + `\FirewallRules`, localPolicy + `\PublicProfile`, localPolicy + `\StandardProfile`,
		}, func(w *snapshot.Windows) snapshot.Fact { return w.Firewall.Stores[0].Read }},
		"connections": {store[1:], store, func(w *snapshot.Windows) snapshot.Fact { return w.Firewall.Stores[0].Read }},
		"WinRM":       {[]string{wsman + `\Service`}, []string{wsman}, func(w *snapshot.Windows) snapshot.Fact { return w.WinRM.Read }},
		"portproxy":   {[]string{services + `\PortProxy\v4tov4\tcp`}, []string{services + `\PortProxy`, services + `\PortProxy\v4tov4\tcp`}, func(w *snapshot.Windows) snapshot.Fact { return w.PortProxy.Read }},
	} {
		if f := c.read(reg(c.part...)); f.State != snapshot.Error {
			t.Errorf("%s: of a part %+v", name, f)
		}
		if f := c.read(reg(c.all...)); f.State != snapshot.Present {
			t.Errorf("%s: of all %+v", name, f)
		}
	}
}

// TestConnectionRules: rules of connection security are read beside those of the firewall, of a policy too; what is none is told.
func TestConnectionRules(t *testing.T) {
	const rule = "v2.33|Action=SecureServer|Name=Auth|Desc=|Active=TRUE|"
	var reg strings.Builder
	reg.WriteString("Windows Registry Editor Version 5.00\n")
	for _, k := range []string{localPolicy, groupPolicy} {
		reg.WriteString("[HKEY_LOCAL_MACHINE\\" + k + "]\n[HKEY_LOCAL_MACHINE\\" + k + "\\ConSecRules]\n\"auth\"=\"" + rule + "\"\n\"odd\"=dword:1\n")
	}
	for _, st := range snapshotOf(t, text("a.reg", reg.String())).Windows.Firewall.Stores[:2] {
		if len(st.Rules) != 0 || len(st.Connections) != 1 || st.Connections[0].ID != "auth" || st.Connections[0].Text != rule || len(st.Unread) != 1 {
			t.Errorf("%+v", st)
		}
	}
}

// TestShellConnectionRules: rules of connection security that commands told demand what they demand; where the command was not run there may be some.
func TestShellConnectionRules(t *testing.T) {
	const rules = `[{"InstanceID": "ANY", "DisplayName": "any", "Enabled": 1, "Profile": 0, "Direction": 1, "Action": 2, "PolicyStoreSourceType": 1},
 {"InstanceID": "GPO", "DisplayName": "of a policy", "Enabled": 1, "Profile": 0, "Direction": 1, "Action": 2, "PolicyStoreSourceType": 2}]`
	const profile = `{"Name": "Public", "Enabled": 1, "DefaultInboundAction": 4, "DefaultOutboundAction": 2, "AllowInboundRules": 1, "AllowLocalFirewallRules": 1, "DisabledInterfaceAliases": ["NotConfigured"]}`
	profiles := "[" + profile + "," + strings.Replace(profile, "Public", "Private", 1) + "," + strings.Replace(profile, "Public", "Domain", 1) + "]"
	const untold = "v2.31|Action=Secure|Active=TRUE|Untold=Get-NetIPsecRule|"
	for name, c := range map[string]struct {
		file, json    string
		local, policy string
	}{
		"not run":     {"x.txt", "", untold, untold},
		"none":        {"ipsecrules.json", "[]", "", ""},
		"they demand": {"a.json", `[{"InstanceID": "A", "Enabled": 1, "Profiles": 4, "InboundSecurity": 2, "PolicyStoreSourceType": 1}, {"InstanceID": "B", "Enabled": "True", "Profile": "Domain, Private", "InboundSecurity": "Require", "PolicyStoreSourceType": "GroupPolicy"}]`, "v2.31|Action=Secure|Active=TRUE|Profile=Public|", "v2.31|Action=Secure|Active=TRUE|Profile=Domain|Profile=Private|"},
		"another way": {"a.json", `{"InstanceID": "A", "Enabled": 1, "Profiles": 0, "InboundSecurity": 7, "PolicyStoreSourceType": 1}`, "v2.31|Action=Secure|Active=TRUE|", ""},
		"they ask":    {"a.json", `[{"InstanceID": "A", "Enabled": 1, "InboundSecurity": 1}, {"InstanceID": "B", "Enabled": 1, "InboundSecurity": "None"}, {"InstanceID": "C", "Enabled": 2, "InboundSecurity": 2}]`, "", ""},
	} {
		w := snapshotOf(t, text("rules.json", rules), text("profiles.json", profiles), text(c.file, c.json)).Windows.Firewall
		for i, want := range []string{c.local, c.policy} {
			var got strings.Builder
			for _, r := range w.Stores[i].Connections {
				got.WriteString(r.Text)
			}
			if w.Stores[i].Read.State != snapshot.Present || got.String() != want {
				t.Errorf("%s: store %d has %q, want %q (%+v)", name, i, got.String(), want, w.Stores[i].Read)
			}
		}
	}
}

// TestRuleOfCapitals: programs write rules whose version begins with a capital.
func TestRuleOfCapitals(t *testing.T) {
	reg := "Windows Registry Editor Version 5.00\n[HKEY_LOCAL_MACHINE\\" + localPolicy + "]\n[HKEY_LOCAL_MACHINE\\" + localPolicy + "\\FirewallRules]\n\"a\"=\"V2.28|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=9981|Name=x\"\n\"b\"=\"2.28|\"\n"
	st := snapshotOf(t, text("a.reg", reg)).Windows.Firewall.Stores[0]
	if len(st.Rules) != 1 || st.Rules[0].ID != "a" || len(st.Unread) != 1 || st.Unread[0] != "b" {
		t.Errorf("%+v", st)
	}
}

// TestOlderPolicies: what the lists of an older policy let in is in doubt, and nothing is proven past them; that of all networks but the domain's may be of
// the public profile too.
func TestOlderPolicies(t *testing.T) {
	const head = "Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies]\n\n"
	key := func(path string, values ...string) string {
		return "[HKEY_LOCAL_MACHINE\\" + groupPolicy + `\` + path + "]\n" + strings.Join(values, "\n") + "\n\n"
	}
	const let = "v2.0|Action=Allow|Active=TRUE|Dir=In|"
	for name, c := range map[string]struct {
		reg  string
		want []string
	}{
		"a port":             {key(`DomainProfile\GloballyOpenPorts\List`, `"3389:TCP"="3389:TCP:10.0.0.0/8,LocalSubnet:enabled:RDP: here"`), []string{let + "Profile=Domain|Protocol=6|LPort=3389|RA4=10.0.0.0/8|RA4=LocalSubnet|OlderPolicy=TRUE|"}},
		"of all networks":    {key(`StandardProfile\GloballyOpenPorts\List`, `"x"="53:udp:*:Enabled:"`), []string{let + "Profile=Private|Profile=Public|Protocol=17|LPort=53|OlderPolicy=TRUE|"}},
		"a port that is not": {key(`DomainProfile\GloballyOpenPorts\List`, `"x"="53:udp:*:disabled:"`), nil},
		"a broken port":      {key(`DomainProfile\GloballyOpenPorts\List`, `"x"="three"`), []string{let + "Profile=Domain|OlderPolicy=TRUE|"}},
		"a number":           {key(`DomainProfile\GloballyOpenPorts\List`, `"x"=dword:00000003`), []string{let + "Profile=Domain|OlderPolicy=TRUE|"}},
		"a program":          {key(`DomainProfile\AuthorizedApplications\List`, `"x"="C:\\a b\\c.exe:*:enabled:C"`), []string{let + `Profile=Domain|App=C:\a b\c.exe|OlderPolicy=TRUE|`}},
		"Remote Desktop":     {key(`DomainProfile\Services\RemoteDesktop`, `"Enabled"=dword:00000001`, `"RemoteAddresses"="*"`), []string{let + "Profile=Domain|Protocol=6|LPort=3389|OlderPolicy=TRUE|"}},
		"none of it":         {key(`DomainProfile\Services\RemoteDesktop`, `"Enabled"=dword:00000000`), nil},
		"files":              {key(`DomainProfile\Services\FileAndPrint`, `"Enabled"=dword:00000001`, `"RemoteAddresses"="10.0.0.1"`), []string{let + "Profile=Domain|Protocol=6|LPort=139|LPort=445|RA4=10.0.0.1|OlderPolicy=TRUE|", let + "Profile=Domain|Protocol=17|LPort=137|LPort=138|RA4=10.0.0.1|OlderPolicy=TRUE|"}},
		"administration":     {key(`DomainProfile\RemoteAdminSettings`, `"Enabled"=dword:00000001`), []string{let + "Profile=Domain|Protocol=6|OlderPolicy=TRUE|"}},
	} {
		st := snapshotOf(t, text("a.reg", head+c.reg)).Windows.Firewall.Stores[1]
		var got []string
		for _, r := range st.Rules {
			got = append(got, r.Text)
			if _, err := mpssvc.ParseRule(snapshot.StoreGPO, r.ID, r.Text); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if !slices.Equal(got, c.want) || st.Read.State != snapshot.Present {
			t.Errorf("%s: %+v\n%q\nwant %q", name, st.Read, got, c.want)
		}
	}
	for name, c := range map[string]struct{ reg, public, private string }{
		"off":                   {key("StandardProfile", `"EnableFirewall"=dword:00000000`), "EnableFirewall of StandardProfile", ""},
		"on":                    {key("StandardProfile", `"EnableFirewall"=dword:00000001`), "", ""},
		"off, and a public one": {key("StandardProfile", `"EnableFirewall"=dword:00000000`) + key("PublicProfile", `"EnableFirewall"=dword:00000001`), "", ""},
		"open":                  {key("StandardProfile", `"DefaultInboundAction"=dword:00000000`), "DefaultInboundAction of StandardProfile", ""},
		"no rules for ports":    {key(`StandardProfile\GloballyOpenPorts`, `"AllowUserPrefMerge"=dword:00000000`), "GloballyOpenPorts of StandardProfile", ""},
		"its own rules":         {key("StandardProfile", `"AllowLocalPolicyMerge"=dword:00000000`), "", "AllowLocalPolicyMerge of StandardProfile"},
	} {
		st := snapshotOf(t, text("a.reg", head+c.reg)).Windows.Firewall.Stores[1]
		unread := map[snapshot.WindowsProfile]string{}
		for _, p := range st.Profiles {
			unread[p.Profile] += strings.Join(p.Unread, " ")
		}
		if unread[snapshot.ProfilePublic] != c.public || unread[snapshot.ProfilePrivate] != c.private {
			t.Errorf("%s: %q", name, unread)
		}
	}
}

// TestTwoNames: a policy can have the private profile by two names. Where they differ it is not known what counts.
func TestTwoNames(t *testing.T) {
	for _, off := range []string{"0", "1"} {
		reg := "Windows Registry Editor Version 5.00\n[HKEY_LOCAL_MACHINE\\" + groupPolicy + "]\n[HKEY_LOCAL_MACHINE\\" + groupPolicy + "\\PrivateProfile]\n\"EnableFirewall\"=dword:1\n" +
			"[HKEY_LOCAL_MACHINE\\" + groupPolicy + "\\StandardProfile]\n\"EnableFirewall\"=dword:" + off + "\n"
		p := snapshotOf(t, text("a.reg", reg)).Windows.Firewall.Stores[1].Profiles
		if p = slices.DeleteFunc(p, func(x snapshot.FirewallProfile) bool { return x.Profile == snapshot.ProfilePublic }); len(p) != 2 || (len(p[0].Unread) > 0) != (off == "0") || len(p[1].Unread) > 0 {
			t.Errorf("%s: %+v", off, p)
		}
	}
}

// TestPolicyFile: registry.pol is a policy of the machine; whether others say more it does not tell.
func TestPolicyFile(t *testing.T) {
	wide := func(s string) string {
		var b strings.Builder
		for _, c := range s {
			b.WriteString(string([]byte{byte(c), 0}))
		}
		return b.String()
	}
	entry := func(key, name, typ, size, data string) string {
		return wide("["+key) + "\x00\x00" + wide(";"+name) + "\x00\x00" + wide(";") + typ + wide(";") + size + wide(";") + data + wide("]")
	}
	const four = "\x04\x00\x00\x00"
	pol := "PReg\x01\x00\x00\x00" + entry(`Software\Policies\Microsoft\WindowsFirewall\PublicProfile`, "AllowLocalPolicyMerge", four, four, "\x00\x00\x00\x00")
	s := snapshotOf(t, text("Registry.pol", pol))
	st := s.Windows.Firewall.Stores[1]
	if st.Read.State != snapshot.Error || len(st.Profiles) != 1 || st.Profiles[0].AllowLocalPolicyMerge == nil || *st.Profiles[0].AllowLocalPolicyMerge != 0 {
		t.Errorf("%+v", st)
	}
}

// TestDamagedFiles: a file that is no more what it was is named, and is a gap.
func TestDamagedFiles(t *testing.T) {
	files := filesIn(t, "testdata/hives", "SOFTWARE")
	_, ignored, err := FromFiles(append(files, text("SOFTWARE", "regf"), text("notes.txt", "hello"), text("filters.xml", "<wfpdiag><filters><item>")))
	if err != nil || len(ignored) != 3 {
		t.Errorf("%v %q", err, ignored)
	}
	if _, _, err := FromFiles([]File{text("notes.txt", "hello")}); err == nil {
		t.Error("a directory without anything is a host")
	}
}

// TestLongDescriptors: the descriptor of the hardening names every service, and is kept whole: of a part of it nothing is known.
func TestLongDescriptors(t *testing.T) {
	var sd strings.Builder
	sd.WriteString("D:")
	for i := range 400 {
		fmt.Fprintf(&sd, "(A;NP;CC;;;S-1-5-80-%d-3239616721-2529237571-3761093093-1214243633)", i)
	}
	read := func(text string) snapshot.WFPCondition {
		w, err := ReadState([]byte("<wfpdiag><filters><item><layerKey>FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4</layerKey><filterCondition><item><fieldKey>FWPM_CONDITION_ALE_USER_ID</fieldKey>" +
			"<matchType>FWP_MATCH_EQUAL</matchType><conditionValue><type>FWP_SECURITY_DESCRIPTOR_TYPE</type><sd>" + text + "</sd></conditionValue></item></filterCondition><filterId>1</filterId></item></filters></wfpdiag>"))
		if err != nil {
			t.Fatal(err)
		}
		return w.Filters[0].Conditions[0]
	}
	if c := read(sd.String()); c.Kind != snapshot.WFPSDDL || c.Text != sd.String() {
		t.Errorf("%d bytes of %d are kept: %s", len(c.Text), sd.Len(), c.Kind)
	}
	if c := read(strings.Repeat(sd.String(), 3)); c.Kind != snapshot.WFPOther || len(c.Text) > 100 {
		t.Errorf("of one that is too long %d bytes are kept: %s", len(c.Text), c.Kind)
	}
}

// TestStatesAreBounded: no list of an export grows without end.
func TestStatesAreBounded(t *testing.T) {
	filter := func(inside string) string {
		return "<wfpdiag><filters><item><layerKey>FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4</layerKey><filterId>1</filterId>" + inside + "</item></filters></wfpdiag>"
	}
	for name, text := range map[string]string{
		"providers":  "<wfpdiag><providers>" + strings.Repeat("<item><providerKey>{a}</providerKey></item>", maxFilters+1) + "</providers></wfpdiag>",
		"sublayers":  "<wfpdiag><subLayers>" + strings.Repeat("<item><subLayerKey>{a}</subLayerKey><weight>1</weight></item>", maxFilters+1) + "</subLayers></wfpdiag>",
		"callouts":   "<wfpdiag><callouts>" + strings.Repeat("<item><calloutKey>{a}</calloutKey></item>", maxFilters+1) + "</callouts></wfpdiag>",
		"flags":      filter("<flags>" + strings.Repeat("<item>x</item>", maxFlags+1) + "</flags>"),
		"conditions": filter("<filterCondition>" + strings.Repeat("<item></item>", maxPerFilter+1) + "</filterCondition>"),
		"elements":   "<wfpdiag>" + strings.Repeat("<a>", maxNesting+1),
	} {
		if _, err := ReadState([]byte(text)); err == nil || !errors.Is(err, registry.ErrTooMuch) && !errors.Is(err, errNoState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ReadState([]byte(filter("<flags>" + strings.Repeat("<item>x</item>", 20) + "</flags>"))); err != nil {
		t.Error(err)
	}
}

// TestCutTexts: a text of regedit that ends at the end of a line, but not as one does, proves nothing.
func TestCutTexts(t *testing.T) {
	whole := "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies]\r\n\"a\"=dword:00000001\r\n\"b\"=dword:00000001\r\n\r\n"
	for _, c := range []struct {
		text string
		cut  bool
	}{{whole, false}, {strings.ReplaceAll(whole, "\r", ""), false}, {strings.TrimSuffix(whole, "\r\n"), true}, {strings.TrimSuffix(whole, "\"b\"=dword:00000001\r\n\r\n"), true}} {
		s := snapshotOf(t, text("a.reg", c.text), text("tcp.json", `[{"LocalAddress": "0.0.0.0", "LocalPort": 22, "RemotePort": 0, "State": 2, "OwningProcess": 9}]`))
		cov := s.Section("windows")
		if told := slices.Contains(cov.Reasons, "firewall: a.reg does not end as regedit ends a text: it may be cut"); told != c.cut || c.cut && cov.Part("listeners") != snapshot.Partial {
			t.Errorf("%q: %+v", c.text, cov)
		}
	}
}

// TestNoStoreOfTheHost: every host has the local store of the firewall: one that is not there says that not all was read, and not that nothing is let in.
func TestNoStoreOfTheHost(t *testing.T) {
	const head = "Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet]\n\n"
	for reg, want := range map[string]snapshot.Status{
		head + "[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control]\n\n": snapshot.Error,
		head + "[HKEY_LOCAL_MACHINE\\" + localPolicy + "\\FirewallRules]\n\n[HKEY_LOCAL_MACHINE\\" + localPolicy + "\\DomainProfile]\n\n[HKEY_LOCAL_MACHINE\\" +
			localPolicy + "\\StandardProfile]\n\n[HKEY_LOCAL_MACHINE\\" + localPolicy + "\\PublicProfile]\n\n": snapshot.Present,
	} {
		if st := snapshotOf(t, text("a.reg", reg)).Windows.Firewall.Stores[0]; st.Read.State != want {
			t.Errorf("%+v, want %s", st.Read, want)
		}
	}
}

// TestFilesAreNotMixed: what two files tell of the same is of one of them alone, and a gap; parts of it by family are together.
func TestFilesAreNotMixed(t *testing.T) {
	socket := func(port int) string {
		return fmt.Sprintf(`[{"LocalAddress": "0.0.0.0", "LocalPort": %d, "RemotePort": 0, "State": 2, "OwningProcess": 9}]`, port)
	}
	at := func(f File, minute int) File {
		f.Time = time.Unix(int64(60*minute), 0)
		return f
	}
	for name, c := range map[string]struct {
		files []File
		ports []int
		gap   bool
	}{
		"two of one time":         {[]File{text("a/tcp.json", socket(22)), text("b/tcp.json", socket(23))}, []int{22}, true},
		"the later one":           {[]File{at(text("a/tcp.json", socket(22)), 1), at(text("b/tcp.json", socket(23)), 2)}, []int{23}, true},
		"the later one first":     {[]File{at(text("a/tcp.json", socket(22)), 2), at(text("b/tcp.json", socket(23)), 1)}, []int{22}, true},
		"the same twice":          {[]File{text("a/tcp.json", socket(22)), text("b/tcp.json", socket(22))}, []int{22}, false},
		"one beside a broken one": {[]File{text("a/tcp.json", socket(22)), text("b/tcp.json", socket(23)[:40])}, []int{22}, true},
	} {
		s := snapshotOf(t, c.files...)
		var ports []int
		for _, l := range s.Windows.Listeners.List {
			ports = append(ports, l.Port)
		}
		cov := s.Section("windows")
		if gap := cov.Part("listeners") == snapshot.Partial; !slices.Equal(ports, c.ports) || gap != c.gap {
			t.Errorf("%s: %v, %+v", name, ports, cov)
		}
	}
	address := func(ip string) string {
		return `[{"InterfaceIndex": 3, "InterfaceAlias": "Ethernet", "IPAddress": "` + ip + `", "PrefixLength": 24}]`
	}
	for _, c := range []struct{ a, b, want string }{
		{"192.0.2.1", "fe80::1", "192.0.2.1/24 fe80::1/24"}, {"192.0.2.1", "192.0.2.2", "192.0.2.1/24"},
	} {
		s := snapshotOf(t, text("a.json", address(c.a)), text("b.json", address(c.b)))
		if got := strings.Join(s.Windows.Adapters.List[0].Addrs, " "); got != c.want {
			t.Errorf("%s and %s: %s", c.a, c.b, got)
		}
	}
	const plain = `[{"Name": "WinRM", "Status": 4, "StartType": 2}]`
	const full = `[{"Name": "WinRM", "PathName": "x", "StartName": "LocalSystem", "StartMode": "Auto", "State": "Running", "ProcessId": 77}]`
	for _, files := range [][]File{{text("a.json", plain), text("b.json", full)}, {text("a.json", full), text("b.json", plain)}} {
		s := snapshotOf(t, files...)
		if l := s.Windows.Services.List; len(l) != 1 || l[0].PID != 77 || s.Section("windows").Part("listeners") == snapshot.OK && len(l) == 0 {
			t.Errorf("services: %+v", l)
		}
	}
	text16 := func(name, root string) File {
		return text(name, "Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies]\n\"x\"=\""+root+"\"\n\n")
	}
	if s := snapshotOf(t, text16("a.reg", "1"), text16("b.reg", "2")); s.Section("windows").Part("firewall") == snapshot.OK || !strings.Contains(strings.Join(s.Section("windows").Reasons, "\n"), "a.reg and b.reg both have HKEY_LOCAL_MACHINE") {
		t.Errorf("two texts of a key: %+v", s.Section("windows"))
	}
}

// TestIgnoredFilesAreInTheSnapshot: a file that tells nothing is named there, and is no gap; one that is broken is a gap of all that it could have told.
func TestIgnoredFilesAreInTheSnapshot(t *testing.T) {
	base := text("tcp.json", `[{"LocalAddress": "0.0.0.0", "LocalPort": 22, "RemotePort": 0, "State": 2, "OwningProcess": 9}]`)
	for _, c := range []struct {
		name, text, part string
	}{
		{"notes.txt", "hello", ""},
		{"secpol.inf", "[Unicode]\r\nUnicode=yes\r\n", ""},
		{"page.xml", "<html><p>", ""},
		{"other.json", `[{"a": 1}]`, ""},
		{"\x1b[31m.txt", "x", ""},
		{"SYSTEM", "regf", "firewall"},
		{"rules.json", `[{"a": `, "firewall"},
		{"filters.xml", "<wfpdiag><filters><item>", "filters"},
		{"a.reg", "Windows Registry Editor Version 5.00\n\"a\"=x:\n", "winrm"},
		{"Registry.pol", "PReg\x01\x00\x00\x00[", "firewall"},
	} {
		cov := snapshotOf(t, base, text(c.name, c.text)).Section("windows")
		all := strings.Join(cov.Reasons, "\n")
		gap := c.part != "" && strings.Contains(all, c.part+": "+c.name+" was not read: ")
		if !strings.Contains(all, "files: not read: "+c.name+": ") || gap != (c.part != "") || c.part == "" && strings.Contains(all, c.name+" was not read") {
			t.Errorf("%q: %q", c.name, cov.Reasons)
		}
	}
}

func FuzzState(f *testing.F) {
	b, err := os.ReadFile("testdata/wsl/state.xml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("<a><filters><item>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := ReadState(b)
		if err != nil {
			return
		}
		for i := range w.Filters {
			for _, c := range w.Filters[i].Conditions {
				if c.Kind == "" || c.Low > c.High {
					t.Errorf("%+v", c)
				}
			}
		}
	})
}

func FuzzShell(f *testing.F) {
	for _, file := range filesIn(f, "testdata/wsl", "state.xml", "system.reg", "software.reg") {
		b := make([]byte, file.Size)
		if _, err := file.ReadAt(b, 0); err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, s string) {
		src, _, err := FromFiles([]File{text("tcp.json", s)})
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := src.Snapshot(snapshot.Tool{}, time.Unix(0, 0)).Write(&b); err != nil {
			t.Fatal(err)
		}
		if _, err := snapshot.Load(&b); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzDescriptor(f *testing.F) {
	f.Add([]byte("\x01\x00\x14\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x14\x00\x00\x00\x02\x00\x1c\x00\x01\x00\x00\x00\x00\x00\x14\x00\x00\x00\x00\x20\x01\x01\x00\x00\x00\x00\x00\x05\x14\x00\x00\x00"))
	f.Add([]byte("O:NSG:BAD:P(A;;GA;;;BA)(A;;GR;;;IU)S:P(AU;FA;GA;;;WD)"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		descriptor(b)
		sddl(string(b))
	})
}

// TestImageFile: the program of a service, as its key writes it.
func TestImageFile(t *testing.T) {
	for image, want := range map[string]string{
		`%SystemRoot%\System32\svchost.exe -k netsvcs`: `C:\Windows\System32\svchost.exe`, `"C:\Program Files\A B\a.exe" --run`: `C:\Program Files\A B\a.exe`,
		`C:\Program Files\A B\a.EXE -x`: `C:\Program Files\A B\a.EXE`, `\SystemRoot\x.exe`: `C:\Windows\x.exe`, `system32\y.exe`: `C:\Windows\system32\y.exe`,
		`\??\D:\z.exe`: `D:\z.exe`, `%Other%\x.exe`: "", ``: "", `C:`: "",
	} {
		if got := imageFile(image, `C:\Windows`); got != want {
			t.Errorf("%s: %q, want %q", image, got, want)
		}
	}
}

// TestRoutes: routes tell who is behind an adapter, but for those that its own addresses tell, and of no other one.
func TestRoutes(t *testing.T) {
	const addrs = `[{"IPAddress": "10.8.0.2", "PrefixLength": 32, "InterfaceIndex": 7, "InterfaceAlias": "VPN"}, {"IPAddress": "192.168.1.5", "PrefixLength": 24, "InterfaceIndex": 12, "InterfaceAlias": "Ethernet"}]`
	const routes = `[
 {"DestinationPrefix": "0.0.0.0/0", "NextHop": "0.0.0.0", "InterfaceIndex": 7}, {"DestinationPrefix": "10.8.0.2/32", "NextHop": "0.0.0.0", "InterfaceIndex": 7},
 {"DestinationPrefix": "224.0.0.0/4", "NextHop": "0.0.0.0", "InterfaceIndex": 7}, {"DestinationPrefix": "255.255.255.255/32", "NextHop": "0.0.0.0", "InterfaceIndex": 7},
 {"DestinationPrefix": "127.0.0.0/8", "NextHop": "0.0.0.0", "InterfaceIndex": 1}, {"DestinationPrefix": "ff00::/8", "NextHop": "::", "InterfaceIndex": 7},
 {"DestinationPrefix": "192.168.1.5/32", "NextHop": "0.0.0.0", "InterfaceIndex": 12}, {"DestinationPrefix": "192.168.1.0/24", "NextHop": "0.0.0.0", "InterfaceIndex": 12}, {"DestinationPrefix": "0.0.0.0/0", "NextHop": "192.168.1.1", "InterfaceIndex": 12},
 {"DestinationPrefix": "10.20.0.0/16", "NextHop": "192.168.1.9", "InterfaceIndex": 12}, {"DestinationPrefix": "10.20.0.0/16", "NextHop": "192.168.1.8", "InterfaceIndex": 12}]`
	list := snapshotOf(t, text("addresses.json", addrs), text("routes.json", routes)).Windows.Adapters.List
	if len(list) != 2 || !list[0].RoutesTold || !list[1].RoutesTold {
		t.Fatalf("%+v", list)
	}
	vpn, lan := list[0], list[1]
	if !slices.Equal(vpn.Links, []string{"0.0.0.0/0"}) || vpn.Routes != nil || !slices.Equal(vpn.Gateways, []string{"0.0.0.0"}) {
		t.Errorf("%+v", vpn)
	}
	if lan.Links != nil || !slices.Equal(lan.Routes, []string{"10.20.0.0/16"}) || !slices.Equal(lan.Gateways, []string{"192.168.1.1"}) {
		t.Errorf("%+v", lan)
	}
	for name, c := range map[string]string{
		"no routes":      `[]`,
		"default alone":  `[{"DestinationPrefix": "0.0.0.0/0", "NextHop": "192.168.1.1", "InterfaceIndex": 12}]`,
		"no route":       strings.Replace(routes, "10.20.0.0/16", "10.20.0.0", 1),
		"of no adapter":  strings.Replace(routes, `"NextHop": "192.168.1.9", "InterfaceIndex": 12`, `"NextHop": "192.168.1.9"`, 1),
		"of one by name": strings.ReplaceAll(routes, `"InterfaceIndex": 12`, `"InterfaceAlias": "Ethernet"`),
	} {
		list := snapshotOf(t, text("addresses.json", addrs), text("routes.json", c)).Windows.Adapters.List
		want := name == "of one by name"
		if list[1].RoutesTold != want || want != slices.Equal(list[1].Routes, []string{"10.20.0.0/16"}) && name != "no route" && name != "of no adapter" {
			t.Errorf("%s: %+v", name, list[1])
		}
	}
}

// TestShellServices: services that commands told are there without a registry, and one whose state was not told is not stopped.
func TestShellServices(t *testing.T) {
	list := snapshotOf(t, text("services.json", `[
 {"Name": "MpsSvc", "PathName": "C:\\Windows\\system32\\svchost.exe -k LocalServiceNoNetworkFirewall", "StartName": "NT Authority\\LocalService", "StartMode": "Auto", "State": "Running", "ProcessId": 9},
 {"Name": "BFE", "Status": 1, "StartType": 4}, {"Name": "WinRM", "PathName": "x", "StartName": "y", "StartMode": "Manual"}, {"Name": "sshd", "Status": 2, "StartType": 2}]`)).Windows.Services
	var got []string
	for _, s := range list.List {
		got = append(got, fmt.Sprintf("%s %d %q %d", s.Name, s.Start, s.State, s.PID))
	}
	if want := `MpsSvc 2 "running" 9, BFE 4 "stopped" 0, WinRM 3 "" 0, sshd 2 "" 0`; strings.Join(got, ", ") != want || list.Read.State != snapshot.Error {
		t.Errorf("%q %+v", got, list.Read)
	}
}

// TestNetworkProfiles: an adapter without a network is public where all networks were told and understood.
func TestNetworkProfiles(t *testing.T) {
	const addrs = `[{"IPAddress": "192.168.1.5", "PrefixLength": 24, "InterfaceIndex": 12, "InterfaceAlias": "Ethernet"}, {"IPAddress": "10.8.0.2", "PrefixLength": 24, "InterfaceIndex": 7, "InterfaceAlias": "VPN"}]`
	for name, c := range map[string]struct {
		networks string
		want     snapshot.Status
	}{
		"told":               {`[{"Name": "Home", "InterfaceIndex": 12, "InterfaceAlias": "Ethernet", "NetworkCategory": 1}]`, snapshot.Absent},
		"of no adapter":      {`[{"Name": "Home", "NetworkCategory": 1}]`, snapshot.Error},
		"of a new category":  {`[{"Name": "Home", "InterfaceIndex": 7, "NetworkCategory": 3}]`, snapshot.Error},
		"by name":            {`[{"Name": "Home", "InterfaceAlias": "Ethernet", "NetworkCategory": "Private"}]`, snapshot.Absent},
		"of one that is not": {`[{"Name": "Home", "InterfaceIndex": 99, "NetworkCategory": "Private"}]`, snapshot.Absent},
	} {
		list := snapshotOf(t, text("addresses.json", addrs), text("networks.json", c.networks)).Windows.Adapters.List
		for _, a := range list {
			if a.Name == "VPN" && a.ProfileRead.State != c.want {
				t.Errorf("%s: %+v", name, a)
			}
		}
	}
}

// TestUnidentifiedNetworks: an adapter that is in no known network is of the public profile, unless a policy says another one; and where the key of
// networks is not there, it is not known that there are none but public ones.
func TestUnidentifiedNetworks(t *testing.T) {
	const (
		addrs     = `[{"IPAddress": "192.168.1.5", "PrefixLength": 24, "InterfaceIndex": 12, "InterfaceAlias": "Ethernet"}, {"IPAddress": "172.17.112.1", "PrefixLength": 20, "InterfaceIndex": 7, "InterfaceAlias": "vEthernet (WSL)"}]`
		home      = `[{"Name": "Home", "InterfaceIndex": 12, "InterfaceAlias": "Ethernet", "NetworkCategory": 1}]`
		head      = "Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\SOFTWARE]\n\n"
		profiles  = `[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion\NetworkList\Profiles\{1}]` + "\n\"Category\"=dword:"
		signature = `[HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows NT\CurrentVersion\NetworkList\Signatures\010103000F0000F001]` + "\n\"Category\"=dword:"
	)
	for name, c := range map[string]struct {
		reg  string
		told bool
		want snapshot.Status
	}{
		"no policy":                         {head, true, snapshot.Absent},
		"a policy for private ones":         {head + signature + "00000001\n\n", true, snapshot.Error},
		"a policy for public ones":          {head + signature + "00000000\n\n", true, snapshot.Absent},
		"known networks are public":         {head + profiles + "00000000\n\n", false, snapshot.Absent},
		"and a policy has them private":     {head + profiles + "00000000\n\n" + signature + "00000001\n\n", false, snapshot.Error},
		"one is private":                    {head + profiles + "00000001\n\n", false, snapshot.Error},
		"the key of networks was not there": {head, false, snapshot.Error},
	} {
		files := []File{text("addresses.json", addrs), text("software.reg", c.reg)}
		if c.told {
			files = append(files, text("networks.json", home))
		}
		for _, a := range snapshotOf(t, files...).Windows.Adapters.List {
			if a.Name == "vEthernet (WSL)" && a.ProfileRead.State != c.want {
				t.Errorf("%s: %+v", name, a.ProfileRead)
			}
		}
	}
}

// TestShellRules: rules that commands told become those of the registry's grammar; one whose conditions were not told has an unknown one.
func TestShellRules(t *testing.T) {
	const rules = `[
 {"InstanceID": "WINRM", "DisplayName": "Windows Remote | Management", "Enabled": 1, "Profile": 6, "Direction": 1, "Action": 2, "EdgeTraversalPolicy": 0, "PolicyStoreSourceType": 1},
 {"InstanceID": "SMB", "DisplayName": "smb", "Enabled": "True", "Profile": "Any", "Direction": "Inbound", "Action": "Block", "EdgeTraversalPolicy": 3, "PolicyStoreSourceType": 1},
 {"InstanceID": "GPO", "DisplayName": "of a policy", "Enabled": 1, "Profile": 0, "Direction": 1, "Action": 2, "EdgeTraversalPolicy": "Allow", "Owner": "S-1-5-21-9", "PolicyStoreSourceType": 2}]`
	const filters = `[
 {"InstanceID": "WINRM", "Protocol": "TCP", "LocalPort": "5985", "RemotePort": "Any", "IcmpType": "Any"},
 {"InstanceID": "WINRM", "LocalAddress": "Any", "RemoteAddress": ["LocalSubnet", "10.0.0.0/255.0.0.0", "fe80::/64"]},
 {"InstanceID": "WINRM", "Program": "System", "Package": null}, {"InstanceID": "WINRM", "Service": "Any"},
 {"InstanceID": "WINRM", "InterfaceAlias": "Any", "CreationClassName": ""}, {"InstanceID": "WINRM", "InterfaceType": 3},
 {"InstanceID": "WINRM", "Authentication": 0, "Encryption": 0, "LocalUser": "Any", "RemoteUser": "Any", "RemoteMachine": "Any", "OverrideBlockRules": false},
 {"InstanceID": "GPO", "InterfaceAlias": ["Ethernet"], "CreationClassName": ""}, {"InstanceID": "GPO", "InterfaceType": "Wired, RemoteAccess"},
 {"InstanceID": "GPO", "Authentication": "Required", "Encryption": "NotRequired", "LocalUser": "D:(A;;CC;;;S-1-5-21-1)", "RemoteUser": "Any", "RemoteMachine": "O:LSD:(A;;CC;;;WD)", "OverrideBlockRules": true},
 {"InstanceID": "GPO", "Protocol": "UDP", "LocalPort": ["RPCEPMap", "100-200"], "RemotePort": "Any", "IcmpType": "Any"},
 {"InstanceID": "GPO", "LocalAddress": "Any", "RemoteAddress": "Any"}, {"InstanceID": "GPO", "Program": "Any"}, {"InstanceID": "GPO", "Service": "dhcp"}]`
	const profile = `{"Name": "Public", "Enabled": 1, "DefaultInboundAction": 2, "DefaultOutboundAction": 2, "AllowInboundRules": 0, "AllowLocalFirewallRules": 0, "DisabledInterfaceAliases": ["NotConfigured"]}`
	profiles := "[" + profile + "," + strings.Replace(profile, "Public", "Private", 1) + "," + strings.Replace(profile, "Public", "Domain", 1) + "]"
	w := snapshotOf(t, text("rules.json", rules), text("filters.json", filters), text("profiles.json", profiles)).Windows.Firewall
	local, policy := w.Stores[0], w.Stores[1]
	want := []snapshot.FirewallRule{
		{ID: "WINRM", Text: "v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Private|Profile=Public|Protocol=6|LPort=5985|RA4=LocalSubnet|RA6=LocalSubnet|" +
			"RA4=10.0.0.0/255.0.0.0|RA6=fe80::/64|App=System|Untold=type of interfaces 3|Name=Windows Remote _ Management|"},
		{ID: "SMB", Text: "v2.31|Action=Block|Active=TRUE|Dir=In|Defer=App|Untold=port|Untold=from|Untold=program|Untold=ofservice|Untold=on|Untold=ontype|Untold=security|Name=smb|"},
	}
	if d := cmp.Diff(local.Rules, want); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(policy.Rules, []snapshot.FirewallRule{
		{ID: "GPO", Text: "v2.31|Action=Allow|Active=TRUE|Dir=In|Edge=TRUE|LUOwn=S-1-5-21-9|Protocol=17|LPort=RPC-EPMap|LPort2_10=100-200|Svc=dhcp|" +
			"Untold=interface Ethernet|IFType=Lan|IFType=RemoteAccess|Security=Authenticate|LUAuth=D:(A;;CC;;;S-1-5-21-1)|RMauth=O:LSD:(A;;CC;;;WD)|Untold=it overrides block rules|Name=of a policy|"},
	}); d != "" {
		t.Error(d)
	}
	for _, p := range [][]snapshot.FirewallProfile{local.Profiles, policy.Profiles} {
		if len(p) != 3 || p[2].Profile != snapshot.ProfilePublic || *p[2].EnableFirewall != 1 || *p[2].DefaultInboundAction != 0 || *p[2].DoNotAllowExceptions != 1 || *p[2].AllowLocalPolicyMerge != 0 || len(p[2].Unread) > 0 {
			t.Errorf("%+v", p)
		}
	}
	// A dynamic rule counts as one of a policy; the id of a rule that two have says nothing of whose a filter is.
	dynamic := snapshotOf(t, text("rules.json", strings.Replace(rules, `"PolicyStoreSourceType": 2`, `"PolicyStoreSourceType": 3`, 1)),
		text("filters.json", filters[:len(filters)-1]+`, {"InstanceID": "GPO", "Program": "x.exe"}]`), text("profiles.json", profiles)).Windows.Firewall
	if r := dynamic.Stores[1].Rules; len(r) != 1 || !strings.Contains(r[0].Text, "Untold=program|") || strings.Contains(r[0].Text, "App=") {
		t.Errorf("%+v", r)
	}
	// Of the store of the host alone it is not known what policies say, nor what profiles say that were not told.
	for name, c := range map[string]string{
		"not told": "[]", "one alone": "[" + profile + "]", "of the host": strings.ReplaceAll(profiles, `"AllowLocalFirewallRules": 0`, `"AllowLocalFirewallRules": 2`),
	} {
		w := snapshotOf(t, text("rules.json", rules), text("filters.json", filters), text("profiles.json", c)).Windows.Firewall
		if unread := w.Stores[0].Profiles[0].Unread; w.Stores[1].Read.State != snapshot.Error || w.Read.State != snapshot.Error || (len(unread) > 0) == (name == "of the host") {
			t.Errorf("%s: %+v, %q", name, w.Stores[1].Read, unread)
		}
	}
	w = snapshotOf(t, text("rules.json", rules[:strings.Index(rules, ` {"InstanceID": "GPO"`)-2]+"]"), text("filters.json", filters)).Windows.Firewall
	if w.Stores[1].Read.State != snapshot.Error || w.Read.State != snapshot.Error {
		t.Errorf("%+v", w.Stores[1].Read)
	}
}

// TestShellRulesOfTheirOwn: what the object of a rule tells itself of whom it is for narrows it, as a filter does.
func TestShellRulesOfTheirOwn(t *testing.T) {
	for own, want := range map[string]string{
		`"RemoteDynamicKeywordAddresses": [], "PolicyAppId": null, "PackageFamilyName": "", "Platform": [], "Platforms": [], "PrimaryStatus": 1, "EnforcementStatus": [1]`: "",
		`"RemoteDynamicKeywordAddresses": ["{12345678-1234-1234-1234-123456789abc}"]`:                                                                                      "Untold=addresses of {12345678-1234-1234-1234-123456789abc}|",
		`"RemoteDynamicKeywordAddresses": {"value": ["{1}"], "Count": 1}`:                                                                                                  "Untold=addresses of {1}|",
		`"PolicyAppId": "Tag1"`:                        "Untold=programs with the tag Tag1|",
		`"PackageFamilyName": "a.b_c"`:                 "PFN=a.b_c|",
		`"Platforms": ["6.1", "10.0+"]`:                "Platform=2:6:1|Platform=2:10:0|Platform2=GTEQ|",
		`"Platform": "6.1"`:                            "Platform=2:6:1|",
		`"Platforms": ["6.1+", "10.0"]`:                "Untold=the system 6.1+|Platform=2:10:0|",
		`"Platforms": ["Windows"]`:                     "Untold=the system Windows|",
		`"PrimaryStatus": 3`:                           "Untold=its status is an error|",
		`"PrimaryStatus": "Error"`:                     "Untold=its status is an error|",
		`"EnforcementStatus": [3]`:                     "Untold=another product has the rules of the firewall|",
		`"EnforcementStatus": ["Full", "CategoryOff"]`: "Untold=another product has the rules of the firewall|",
	} {
		rule := `{"InstanceID": "A", "Enabled": 1, "Profile": 0, "Direction": 1, "Action": 4, "PolicyStoreSourceType": 1, ` + own + `}`
		r := snapshotOf(t, text("rules.json", rule)).Windows.Firewall.Stores[0].Rules
		if len(r) != 1 || !strings.HasPrefix(r[0].Text, "v2.31|Action=Block|Active=TRUE|Dir=In|"+want+"Untold=port|") {
			t.Errorf("%s: %+v, want %s", own, r, want)
		}
	}
}
