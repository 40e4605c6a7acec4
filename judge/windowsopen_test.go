package judge

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestWindowsOpenings: a filter for a port of management is told with who gets in by it, and one for something narrower is not.
func TestWindowsOpenings(t *testing.T) {
	number := func(field string, low, high uint64) snapshot.WFPCondition {
		return snapshot.WFPCondition{Field: "FWPM_CONDITION_" + field, Kind: snapshot.WFPNumber, Low: low, High: high}
	}
	from := func(first, last string) snapshot.WFPCondition {
		return snapshot.WFPCondition{Field: "FWPM_CONDITION_IP_REMOTE_ADDRESS", Kind: snapshot.WFPAddress, First: first, Last: last}
	}
	tcp, smb := number("IP_PROTOCOL", 6, 6), number("IP_LOCAL_PORT", 440, 450)
	for name, c := range map[string]struct {
		conditions []snapshot.WFPCondition
		want       string // service, and wide
	}{
		"everybody":          {[]snapshot.WFPCondition{tcp, smb}, "SMB wide"},
		"all in one range":   {[]snapshot.WFPCondition{tcp, smb, from("0.0.0.0", "255.255.255.255")}, "SMB wide"},
		"of IPv6":            {[]snapshot.WFPCondition{tcp, smb, from("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")}, "SMB wide"},
		"a network":          {[]snapshot.WFPCondition{tcp, smb, from("172.17.112.0", "172.17.127.255")}, "SMB"},
		"the first network":  {[]snapshot.WFPCondition{tcp, smb, from("0.0.0.0", "9.255.255.255")}, "SMB"},
		"UDP":                {[]snapshot.WFPCondition{number("IP_PROTOCOL", 17, 17), smb}, ""},
		"another port":       {[]snapshot.WFPCondition{tcp, number("IP_LOCAL_PORT", 80, 80)}, ""},
		"loopback":           {[]snapshot.WFPCondition{tcp, smb, number("FLAGS", 0x800000, 0x800000)}, ""},
		"programs of a sort": {[]snapshot.WFPCondition{tcp, smb, {Field: "FWPM_CONDITION_ALE_PACKAGE_ID"}}, ""},
	} {
		w := &snapshot.Windows{Filters: snapshot.WindowsFilters{Read: snapshot.Fact{State: snapshot.Present}, Filters: []snapshot.WFPFilter{{
			Layer: "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4", Sublayer: firewallSublayer, Action: "FWP_ACTION_PERMIT", Conditions: c.conditions,
		}}}}
		var got []string
		for _, o := range windowsEngine(w).Openings {
			got = append(got, strings.TrimSpace(o.Service+map[bool]string{true: " wide"}[o.Wide]))
		}
		if strings.Join(got, ",") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		w.Listeners.Read.State = snapshot.Present
		if list := windowsEngine(w).Openings; len(list) != 0 {
			t.Errorf("%s: sockets were read, and there is %+v", name, list)
		}
	}
}

// TestGapOfTwoPartsIsToldOnce: a section of which a check reads two parts lacks what it lacks once.
func TestGapOfTwoPartsIsToldOnce(t *testing.T) {
	s := &snapshot.Snapshot{Coverage: []snapshot.Coverage{{Collector: "processes", Status: snapshot.Partial, Reasons: []string{"15 could not be read"}}}}
	if gaps, unread := missed(s, nil, []string{"processes.power", "processes.programs"}); len(gaps) != 1 || unread != "" {
		t.Errorf("%q %q", gaps, unread)
	}
}

// TestReasonsOfAPart: what was not seen of a part is told for it, and for another section as a whole.
func TestReasonsOfAPart(t *testing.T) {
	c := snapshot.Coverage{Status: snapshot.Partial, Parts: []string{"smb", "rdp"}, Reasons: []string{"rdp: a", "smb: b"}}
	if got := reasonsOf(c, "rdp"); len(got) != 1 || got[0] != "rdp: a" {
		t.Errorf("%q", got)
	}
	if got := reasonsOf(c, "other"); len(got) != 2 {
		t.Errorf("%q", got)
	}
}

// TestWindowsEngineBlocks: what is blocked by default counts for its own family and profile, and what profile an interface is of is not assumed.
func TestWindowsEngineBlocks(t *testing.T) {
	block := func(layer string, profiles ...uint64) (list []snapshot.WFPFilter) {
		for _, p := range profiles {
			list = append(list, snapshot.WFPFilter{
				Layer: "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_" + layer, Sublayer: firewallSublayer, Action: "FWP_ACTION_BLOCK",
				Conditions: []snapshot.WFPCondition{{Field: "FWPM_CONDITION_ORIGINAL_PROFILE_ID", Kind: snapshot.WFPNumber, Low: p, High: p}},
			})
		}
		return list
	}
	permit := snapshot.WFPFilter{Layer: "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V6", Sublayer: firewallSublayer, Action: "FWP_ACTION_PERMIT"}
	public, unknown := snapshot.Fact{State: snapshot.Absent}, snapshot.Fact{State: snapshot.Error}
	for name, c := range map[string]struct {
		filters []snapshot.WFPFilter
		profile snapshot.Fact
		want    string
	}{
		"both":                       {append(block("V4", 1, 2), block("V6", 1)...), public, "[] [] []"},
		"one was read":               {block("V4", 1), public, "[] [] []"},
		"another profile":            {append(block("V4", 2), block("V6", 2)...), public, "[public] [] []"},
		"IPv4 alone":                 {append(block("V4", 1), block("V6", 2)...), public, "[] [public over IPv6] []"},
		"IPv6 has none":              {append(block("V4", 1), permit), public, "[] [public over IPv6] []"},
		"IPv6 alone":                 {append(block("V4", 2), block("V6", 1)...), public, "[] [public over IPv4] []"},
		"a profile that is not told": {append(block("V4", 1, 2), block("V6", 1, 2, 3)...), unknown, "[] [] [Ethernet]"},
		"and all are blocked":        {append(block("V4", 1, 2, 3), block("V6", 1, 2, 3)...), unknown, "[] [] []"},
	} {
		w := &snapshot.Windows{
			Filters:  snapshot.WindowsFilters{Read: snapshot.Fact{State: snapshot.Present}, Filters: c.filters},
			Adapters: snapshot.WindowsAdapters{List: []snapshot.WindowsAdapter{{Name: "Ethernet", Up: true, Addrs: []string{"192.168.1.5/24"}, ProfileRead: c.profile}}},
		}
		d := windowsEngine(w)
		if got := fmt.Sprint(d.Unblocked, d.Half, d.Unsure); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestWindowsSMBDefaults: a setting that is nowhere is not taken for a safe one on a system that has its driver, is older, or not known.
func TestWindowsSMBDefaults(t *testing.T) {
	absent := snapshot.Fact{State: snapshot.Absent}
	for name, c := range map[string]struct {
		system snapshot.WindowsSystem
		driver snapshot.Fact
		want   string
	}{
		"nothing known":        {snapshot.WindowsSystem{}, snapshot.Fact{}, "default default"},
		"an upgraded host":     {snapshot.WindowsSystem{Build: 19045, Type: "WinNT", Edition: "Professional"}, snapshot.Fact{State: snapshot.Present, Value: "3"}, "default default"},
		"a new one":            {snapshot.WindowsSystem{Build: 19045, Type: "WinNT", Edition: "Professional"}, absent, "absent default"},
		"a driver that is off": {snapshot.WindowsSystem{Build: 9600, Type: "WinNT", Edition: "Professional"}, snapshot.Fact{State: snapshot.Present, Value: "4"}, "absent default"},
		"one not read":         {snapshot.WindowsSystem{Build: 26100, Type: "WinNT", Edition: "Professional"}, snapshot.Fact{State: snapshot.Denied}, "default absent"},
		"Windows 11 24H2":      {snapshot.WindowsSystem{Build: 26100, Type: "WinNT", Edition: "Enterprise"}, absent, "absent absent"},
		"its Home edition":     {snapshot.WindowsSystem{Build: 26100, Type: "WinNT", Edition: "CoreSingleLanguage"}, absent, "absent default"},
		"Windows Server 2025":  {snapshot.WindowsSystem{Build: 26100, Type: "ServerNT", Edition: "ServerStandard"}, absent, "absent default"},
	} {
		w := &snapshot.Windows{System: c.system}
		w.SMB.Settings = map[string]snapshot.Fact{"SMB1": absent, "RequireSecuritySignature": absent, snapshot.SMB1Driver: c.driver}
		d := windowsSMB(w)
		if got := d["SMB1"].State + " " + d["RequireSecuritySignature"].State; got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
