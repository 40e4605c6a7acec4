package winhost

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestListenersOfAPolicy: a policy has WinRM listen where its filters say, and where there is none of these nowhere.
func TestListenersOfAPolicy(t *testing.T) {
	const head = "Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies]\n\n[HKEY_LOCAL_MACHINE\\" + winrmPolicy + "]\n\"AllowAutoConfig\"=dword:00000001\n"
	for values, want := range map[string]bool{
		"": false, "\"IPv4Filter\"=\"\"\n\"IPv6Filter\"=\" \"\n": false, "\"IPv4Filter\"=\"*\"\n": true, "\"IPv4Filter\"=\"\"\n\"IPv6Filter\"=\"fe80::1-fe80::9\"\n": true,
		"\"IPv4Filter\"=dword:00000001\n": true,
	} {
		list := snapshotOf(t, text("a.reg", head+values+"\n")).Windows.WinRM.Listeners
		if len(list) != 1 || !list[0].Policy || list[0].Enabled != want {
			t.Errorf("%q: %+v, want %v", values, list, want)
		}
	}
}

// TestCompatibilityListeners: a policy has WinRM listen on the ports of the web too.
func TestCompatibilityListeners(t *testing.T) {
	const head = "Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies]\n\n[HKEY_LOCAL_MACHINE\\" + winrmPolicy + "]\n"
	for values, want := range map[string]string{
		"\"HttpCompatibilityListener\"=dword:00000001\n\"HttpsCompatibilityListener\"=dword:00000001\n": "HTTP 80 HTTPS 443 ",
		"\"HttpCompatibilityListener\"=dword:00000000\n":                                                "",
	} {
		var got strings.Builder
		for _, l := range snapshotOf(t, text("a.reg", head+values+"\n")).Windows.WinRM.Listeners {
			if got.WriteString(fmt.Sprintf("%s %d ", l.Transport, l.Port)); !l.Enabled || !l.Policy {
				t.Errorf("%+v", l)
			}
		}
		if got.String() != want {
			t.Errorf("%q: %s, want %s", values, got.String(), want)
		}
	}
}

// TestTrustedHosts: the list of a policy counts where the policy is switched on, and no list where it is switched off.
func TestTrustedHosts(t *testing.T) {
	const head = "Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\SOFTWARE]\n\n"
	local := "[HKEY_LOCAL_MACHINE\\" + wsman + "\\Client]\n\"trusted_hosts\"=\"*\"\n\n"
	policy := func(values string) string { return "[HKEY_LOCAL_MACHINE\\" + winrmClientPolicy + "]\n" + values + "\n" }
	for name, c := range map[string]struct{ reg, local, policy string }{
		"none":           {"", "absent ", "absent "},
		"local":          {local, "present *", "absent "},
		"a policy":       {local + policy("\"TrustedHosts\"=dword:00000001\n\"TrustedHostsList\"=\"a.example\"\n"), "present *", "present a.example"},
		"a policy is on": {policy("\"TrustedHosts\"=dword:00000001\n"), "absent ", "absent "},
		"one is off":     {local + policy("\"TrustedHosts\"=dword:00000000\n\"TrustedHostsList\"=\"*\"\n"), "present *", "present "},
	} {
		s := snapshotOf(t, text("a.reg", head+c.reg)).Windows.WinRM.Settings
		if got := said(s[snapshot.WinRMTrusted]); got != c.local {
			t.Errorf("%s: %q, want %q", name, got, c.local)
		}
		if got := said(s["policy.TrustedHostsList"]); got != c.policy {
			t.Errorf("%s: the policy is %q, want %q", name, got, c.policy)
		}
	}
}

func said(f snapshot.Fact) string { return string(f.State) + " " + f.Value }

// TestSettingsOfRemoteDesktop: what a policy sets is told beside what the host has; so is FIPS, which wins over the level of encryption.
func TestSettingsOfRemoteDesktop(t *testing.T) {
	key := func(path, values string) string { return "[HKEY_LOCAL_MACHINE\\" + path + "]\n" + values + "\n" }
	s := snapshotOf(t, text("a.reg", "Windows Registry Editor Version 5.00\n\n"+key("SYSTEM\\CurrentControlSet", "")+key(terminal, "")+
		key(terminal+`\WinStations\RDP-Tcp`, "\"SecurityLayer\"=dword:00000000\n\"MinEncryptionLevel\"=dword:00000001\n")+
		key(current+`\Control\Lsa\FipsAlgorithmPolicy`, "\"Enabled\"=dword:00000001\n")),
		text("b.reg", "Windows Registry Editor Version 5.00\n\n"+key(`SOFTWARE\Policies`, "")+key(rdpPolicy, "\"SecurityLayer\"=dword:00000002\n"))).Windows.RDP.Settings
	for name, want := range map[string]string{
		"SecurityLayer": "present 0", "MinEncryptionLevel": "present 1", "policy.SecurityLayer": "present 2", "policy.MinEncryptionLevel": "absent ",
		snapshot.RDPFIPS: "present 1",
	} {
		if got := said(s[name]); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
