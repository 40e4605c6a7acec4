//go:build linux && !ringfence_portable

package checks

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

const zonePublic = `<zone><short>Public</short><service name="ssh"/><service name="dhcpv6-client"/><port port="8000-8010" protocol="tcp"/><forward/></zone>`

// TestWhatIsLoadedAtBoot: what each service would load is what is handed to nft and iptables-restore; what its files do not tell whole is no ruleset.
func TestWhatIsLoadedAtBoot(t *testing.T) {
	services := map[string]string{
		"ssh":           `<service><port protocol="tcp" port="22"/></service>`,
		"dhcpv6-client": `<service><port protocol="udp" port="546"/><destination ipv6="fe80::/64"/></service>`,
		"both":          `<service><include service="ssh"/><port protocol="udp" port="99"/></service>`,
		"netbios-ns":    `<service><port protocol="udp" port="137"/><helper name="netbios-ns"/></service>`,
		"loop":          `<service><include service="loop"/></service>`,
	}
	for name, c := range map[string]struct {
		unit  string
		files map[string]string
		want  string // what is loaded, "!" and the reason
		left  string
	}{
		"iptables-persistent": {"netfilter-persistent.service", map[string]string{
			"usr/share/netfilter-persistent/plugins.d/15-ip4tables": "", "usr/share/netfilter-persistent/plugins.d/25-ip6tables": "",
			"etc/iptables/rules.v4": "*filter\nCOMMIT\n", "etc/iptables/rules.v6": "*raw\nCOMMIT\n",
		}, "4: *filter\nCOMMIT\n6: *raw\nCOMMIT\n", ""},
		"one file alone": {"netfilter-persistent.service", map[string]string{
			"usr/share/netfilter-persistent/plugins.d/15-ip4tables": "", "etc/iptables/rules.v4": "a\n", "etc/iptables/rules.v6": "b\n",
		}, "4: a\n", ""},
		"without a file": {"netfilter-persistent.service", map[string]string{"usr/share/netfilter-persistent/plugins.d/15-ip4tables": ""}, "", ""},
		"of Fedora":      {"ip6tables.service", map[string]string{"etc/sysconfig/ip6tables": "x\n"}, "6: x\n", ""},
		"ufw": {"ufw.service", map[string]string{
			"etc/default/ufw": "IPV6=no\nDEFAULT_INPUT_POLICY=\"DROP\"\nDEFAULT_FORWARD_POLICY=REJECT\n", "etc/ufw/before.rules": "-A x -j ufw-not-local\n", "etc/ufw/user.rules": "u\n", "etc/ufw/after.rules": "a\n",
		}, "4: *filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:ufw-not-local - [0:0]\nCOMMIT\n4: -A x -j ufw-not-local\n4: u\n4: a\n", ""},
		"ufw, a file is lost": {"ufw.service", map[string]string{"etc/default/ufw": "", "etc/ufw/before.rules": ""}, "!look up /etc/ufw/user.rules: no such file or directory", ""},
		"firewalld":           {"firewalld.service", map[string]string{"etc/firewalld/zones/public.xml": zonePublic, "usr/lib/firewalld/zones/public.xml": "<zone/>", "usr/lib/firewalld/zones/drop.xml": "<zone/>"}, "table inet firewalld {\nchain filter_IN_drop_allow {\n}\nchain filter_IN_public_allow {\ntcp dport 8000-8010 accept\ntcp dport 22 accept\nip6 daddr fe80::/64 udp dport 546 accept\n}\n}\n", ""},
		"a rich rule": {"firewalld.service", map[string]string{
			"etc/firewalld/zones/a.xml": `<zone><rule family="ipv4"><accept/></rule></zone>`, "etc/firewalld/zones/b.xml": `<zone><service name="both"/></zone>`,
		}, "table inet firewalld {\nchain filter_IN_b_allow {\nudp dport 99 accept\ntcp dport 22 accept\n}\n}\n", "filter_IN_a_allow"},
		"a service that ends nowhere": {"firewalld.service", map[string]string{"etc/firewalld/zones/a.xml": `<zone><service name="loop"/></zone>`}, "table inet firewalld {\n}\n", "filter_IN_a_allow"},
		"a helper":                    {"firewalld.service", map[string]string{"etc/firewalld/zones/a.xml": `<zone><service name="netbios-ns"/></zone>`}, "table inet firewalld {\n}\n", "filter_IN_a_allow"},
		"no port":                     {"firewalld.service", map[string]string{"etc/firewalld/zones/a.xml": `<zone><port port="1; drop" protocol="tcp"/></zone>`}, "table inet firewalld {\n}\n", "filter_IN_a_allow"},
		"malformed":                   {"firewalld.service", map[string]string{"etc/firewalld/zones/a.xml": `<zone`}, "!/etc/firewalld/zones/a.xml: malformed", ""},
		"no zones":                    {"firewalld.service", nil, "!firewalld has no zones", ""},
	} {
		if c.unit == "firewalld.service" && c.files != nil {
			for n, text := range services {
				c.files["usr/lib/firewalld/services/"+n+".xml"] = text
			}
		}
		s, _ := hostOf(t, c.files)
		got := ""
		s.loadRuleset = func(_ context.Context, text RulesetText) (*ruleset.Ruleset, error) {
			got = string(text.Nft)
			for _, r := range text.Restore {
				got += map[bool]string{false: "4: ", true: "6: "}[r.V6] + string(r.Text)
			}
			return new(ruleset.Ruleset), nil
		}
		list := s.persistedMore(t.Context(), []snapshot.BootService{{Name: c.unit, Enabled: true}, {Name: "nftables.service", Enabled: true}})
		if len(list) != 1 {
			t.Fatalf("%s: %+v", name, list)
		}
		p := list[0]
		if p.Read.State != snapshot.Present {
			got = "!" + p.Read.Reason
		}
		if got != c.want || strings.Join(p.Left, " ") != c.left || (p.Ruleset == nil) != (p.Read.State != snapshot.Present) {
			t.Errorf("%s: %q %q %+v, want %q %q", name, got, p.Left, p.Ruleset, c.want, c.left)
		}
		if off := s.persistedMore(t.Context(), []snapshot.BootService{{Name: c.unit}}); off != nil {
			t.Errorf("%s: of a service that is not started: %+v", name, off)
		}
	}
}

// TestFilterOfOthersIsNotLoaded: a file that somebody besides root can write is no text for a program of root's.
func TestFilterOfOthersIsNotLoaded(t *testing.T) {
	s, root := hostOf(t, map[string]string{"usr/share/netfilter-persistent/plugins.d/15-ip4tables": "", "etc/iptables/rules.v4": "x"})
	if err := os.Chmod(filepath.Join(root, "etc/iptables/rules.v4"), 0o666); err != nil {
		t.Fatal(err)
	}
	s.loadRuleset = func(context.Context, RulesetText) (*ruleset.Ruleset, error) {
		t.Error("it was loaded")
		return nil, nil
	}
	if p := s.persistedMore(t.Context(), []snapshot.BootService{{Name: "netfilter-persistent.service", Enabled: true}})[0]; p.Read.State != snapshot.Error {
		t.Errorf("%+v", p)
	}
}
