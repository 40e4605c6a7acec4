package snapshot

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// windowsHost is a snapshot of a Windows host of which nothing was read but one adapter and one filter.
func windowsHost() *Snapshot {
	s := &Snapshot{Schema: Schema, Coverage: []Coverage{{Collector: windowsSection, Status: Partial, Reasons: []string{"no registry"}}}}
	w := reflect.ValueOf(&s.Windows).Elem()
	unread := func(v reflect.Value) {
		for _, field := range v.Fields() {
			if f, ok := field.Addr().Interface().(*Fact); ok {
				*f = Fact{State: Absent}
			}
		}
	}
	for _, field := range w.Fields() {
		unread(field)
	}
	for _, a := range []*WindowsACL{&s.Windows.WinRM.RootSDDL, &s.Windows.SSH.AdminKeys} {
		a.Read = Fact{State: Absent}
	}
	s.Windows.Networks.WSL.Read = Fact{State: Absent}
	s.Windows.Adapters = WindowsAdapters{Read: Fact{State: Present, Value: "adapters.json"}, List: []WindowsAdapter{{
		Name: "Ethernet", Up: true, Addrs: []string{"192.0.2.10/24"}, Profile: ProfilePublic, ProfileRead: Fact{State: Present},
	}}}
	s.Windows.Filters.Filters = []WFPFilter{{
		ID: 1, Layer: "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4", Sublayer: "FWPM_SUBLAYER_MPSSVC_WF", Action: "FWP_ACTION_PERMIT",
		Conditions: []WFPCondition{
			{Field: "FWPM_CONDITION_IP_REMOTE_ADDRESS", Match: "FWP_MATCH_RANGE", Type: "FWP_UINT32", Kind: WFPAddress, First: "10.0.0.0", Last: "10.0.0.255"},
		},
	}}
	return s
}

func TestWindowsSnapshot(t *testing.T) {
	load := func(s *Snapshot) error {
		var b bytes.Buffer
		if err := s.Write(&b); err != nil {
			t.Fatal(err)
		}
		_, err := Load(&b)
		return err
	}
	if err := load(windowsHost()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		change     func(*Snapshot)
	}{
		{"of two systems", `coverage[1].collector`, func(s *Snapshot) { s.Coverage = append(s.Coverage, Coverage{Collector: "ssh", Status: OK}) }},
		{"without its coverage", `coverage`, func(s *Snapshot) { s.Coverage = nil }},
		{"a part that there is not", `coverage[0].parts[0]`, func(s *Snapshot) { s.Coverage[0].Parts = []string{"moon"} }},
		{"a fact without a state", `windows.rdp.read.state`, func(s *Snapshot) { s.Windows.RDP.Read = Fact{} }},
		{"a profile that is not known", `profile`, func(s *Snapshot) { s.Windows.Adapters.List[0].Profile = "home" }},
		{"an address without bits", `addrs[0]`, func(s *Snapshot) { s.Windows.Adapters.List[0].Addrs[0] = "192.0.2.10" }},
		{"a route to no prefix", `routes[0]`, func(s *Snapshot) { s.Windows.Adapters.List[0].Links = []string{"10.0.0.1/8"} }},
		{"a range that runs backwards", `conditions[0]`, func(s *Snapshot) { s.Windows.Filters.Filters[0].Conditions[0].Last = "9.0.0.0" }},
		{"a store that there is not", `store`, func(s *Snapshot) {
			s.Windows.Firewall.Stores = []FirewallStore{{Store: "moon", Read: Fact{State: Absent}}}
		}},
		{"a listener of no family", `family`, func(s *Snapshot) {
			s.Windows.Listeners.List = []WindowsListener{{Proto: "tcp", Family: 6, Addr: "0.0.0.0", Port: 1, OwnerState: OwnersUnknown}}
		}},
	} {
		s := windowsHost()
		c.change(s)
		if err := load(s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error about %s", c.name, err, c.want)
		}
	}
}

// TestWindowsParts: each part of the section is named for its field, which is how coverage and policies call it.
func TestWindowsParts(t *testing.T) {
	var names []string
	for f := range reflect.TypeFor[Windows]().Fields() {
		names = append(names, f.Tag.Get("json"))
	}
	if len(names) != len(WindowsParts) {
		t.Fatalf("%d fields, %d parts", len(names), len(WindowsParts))
	}
	for _, n := range names {
		if !strings.Contains(" "+strings.Join(WindowsParts, " ")+" ", " "+n+" ") {
			t.Errorf("%s is no part", n)
		}
	}
}
