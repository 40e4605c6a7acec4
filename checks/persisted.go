//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of a packet filter that is loaded at boot: its text, the interfaces whose names it may use, and how long to load it may take.
const (
	maxPersisted     = 1 << 20
	maxPersistedLink = 256
	persistedTimeout = 5 * time.Second
)

// persistedMore reads what other services load at boot that are started then: files of iptables-persistent, of iptables.service of Fedora, and of ufw, by
// iptables-restore into a network namespace of its own; of firewalld, which ports its zones open.
func (s *Scan) persistedMore(ctx context.Context, services []snapshot.BootService) (list []snapshot.Persisted) {
	for _, b := range services {
		read := persistedBy[b.Name]
		if read == nil || !b.Enabled {
			continue
		}
		p := snapshot.Persisted{Loader: b.Name}
		err := read(s, ctx, &p)
		switch {
		case err == nil:
			p.Read = present("%s", p.File)
		default:
			p.Ruleset, p.Left = nil, nil
			if p.Read = toFact("", err); p.Read.State == snapshot.Absent { // a file that the service names
				p.Read = snapshot.Fact{State: snapshot.Error, Reason: err.Error()}
			}
		}
		list = append(list, p)
	}
	return list
}

// persistedBy are the services whose files are read, by their names.
var persistedBy = map[string]func(*Scan, context.Context, *snapshot.Persisted) error{
	"netfilter-persistent.service": (*Scan).netfilterPersistent,
	"iptables.service": func(s *Scan, ctx context.Context, p *snapshot.Persisted) error {
		return s.savedTables(ctx, p, "/etc/sysconfig/iptables", "")
	},
	"ip6tables.service": func(s *Scan, ctx context.Context, p *snapshot.Persisted) error {
		return s.savedTables(ctx, p, "", "/etc/sysconfig/ip6tables")
	},
	"ufw.service":       (*Scan).ufwFiles,
	"firewalld.service": (*Scan).firewalldZones,
}

// netfilterPersistent reads what the plugins of netfilter-persistent(8) load, if they are there.
func (s *Scan) netfilterPersistent(ctx context.Context, p *snapshot.Persisted) error {
	file := func(plugin, rules string) string {
		if _, err := s.Host.Lstat("/usr/share/netfilter-persistent/plugins.d/" + plugin); err != nil {
			return ""
		}
		return rules
	}
	return s.savedTables(ctx, p, file("15-ip4tables", "/etc/iptables/rules.v4"), file("25-ip6tables", "/etc/iptables/rules.v6"))
}

// savedTables loads files of iptables-save, of IPv4 and of IPv6. One that is not there loads nothing.
func (s *Scan) savedTables(ctx context.Context, p *snapshot.Persisted, v4, v6 string) error {
	var texts []RestoreText
	for _, f := range []struct {
		file string
		v6   bool
	}{{v4, false}, {v6, true}} {
		if f.file == "" {
			continue
		}
		p.File = cmp.Or(p.File, f.file)
		b, err := s.rootText(f.file)
		if err == nil {
			texts = append(texts, RestoreText{Text: b, V6: f.v6})
		} else if !gone(err) {
			return err
		}
	}
	return s.restored(ctx, p, texts)
}

// rootText reads a file of a packet filter that root alone can write.
func (s *Scan) rootText(file string) ([]byte, error) {
	b, err := s.rootFile(file)
	if err == nil && len(b) > maxPersisted {
		err = fmt.Errorf("%s: more than %d bytes", file, maxPersisted)
	}
	return b, err
}

// restored loads texts of iptables-save.
func (s *Scan) restored(ctx context.Context, p *snapshot.Persisted, texts []RestoreText) error {
	if len(texts) == 0 {
		p.Ruleset = new(ruleset.Ruleset)
		return nil
	}
	if s.loadRuleset == nil {
		return errors.New("nobody was asked to load it")
	}
	ctx, cancel := context.WithTimeout(ctx, persistedTimeout)
	defer cancel()
	var err error
	p.Ruleset, err = s.loadRuleset(ctx, RulesetText{Restore: texts})
	return err
}

// ufwChain is a chain that a rule of ufw leads to.
var ufwChain = lazily(`(?m)-[jg] (ufw6?-[\w-]+)`)

// ufwFiles loads the files of ufw in their order (ufw-framework(8)): what comes before, the rules of the administrator, what comes after. Chains that
// ufw makes by itself are there without rules; its policies are those of /etc/default/ufw.
func (s *Scan) ufwFiles(ctx context.Context, p *snapshot.Persisted) error {
	p.File = "/etc/ufw"
	b, err := s.rootText("/etc/default/ufw")
	if err != nil {
		return err
	}
	set := envFile(string(b))
	var texts []RestoreText
	for _, v6 := range []bool{false, true} {
		if v6 && !strings.EqualFold(set["IPV6"], "yes") {
			continue
		}
		digit := map[bool]string{true: "6"}[v6]
		var list []RestoreText
		chains := map[string]bool{}
		for _, name := range []string{"before", "user", "after"} {
			b, err := s.rootText("/etc/ufw/" + name + digit + ".rules")
			if err != nil {
				return err
			}
			for _, m := range ufwChain.FindAllSubmatch(b, -1) {
				chains[string(m[1])] = true
			}
			list = append(list, RestoreText{Text: b, V6: v6})
		}
		var head strings.Builder
		head.WriteString("*filter\n")
		for _, c := range []string{"INPUT", "OUTPUT", "FORWARD"} {
			if policy := strings.ToUpper(set["DEFAULT_"+c+"_POLICY"]); policy == "DROP" || policy == "ACCEPT" {
				head.WriteString(":" + c + " " + policy + " [0:0]\n")
			} else if policy == "REJECT" { // by a rule at the end
				head.WriteString(":" + c + " DROP [0:0]\n")
			}
		}
		for _, c := range sortedKeys(chains) {
			head.WriteString(":" + c + " - [0:0]\n")
		}
		texts = append(append(texts, RestoreText{Text: []byte(head.String() + "COMMIT\n"), V6: v6}), list...)
	}
	return s.restored(ctx, p, texts)
}

// persisted reads what nftables.service loads at boot, if it is started then: nft loads the file into a network namespace of its own, and the
// kernel says what that is. Only a file of root's is loaded: it can include others.
func (s *Scan) persisted(ctx context.Context, services []snapshot.BootService) snapshot.Persisted {
	on := slices.ContainsFunc(services, func(b snapshot.BootService) bool { return b.Name == "nftables.service" && b.Enabled })
	if !on {
		return snapshot.Persisted{Read: snapshot.Fact{State: snapshot.Absent}}
	}
	p := snapshot.Persisted{}
	if err := s.readPersisted(ctx, &p); err != nil {
		p.Ruleset = nil
		if p.Read = toFact("", err); p.Read.State == snapshot.Absent { // the file that the service names
			p.Read = snapshot.Fact{State: snapshot.Error, Reason: err.Error()}
		}
		return p
	}
	p.Read = present("%s", p.File)
	return p
}

func (s *Scan) readPersisted(ctx context.Context, p *snapshot.Persisted) error {
	lines, why := s.unitLines("nftables.service")
	if why != "" {
		return errors.New("nftables.service: " + why)
	}
	for _, v := range listOfKey(lines, "[Service]", "ExecStart") {
		if f := last(optionValues(strings.Fields(v), "-f", "--file")); path.IsAbs(f) {
			p.File = f
		}
	}
	if p.File == "" {
		return errors.New("nftables.service loads no file that it names")
	}
	a, st, err := s.Host.Author(p.File)
	switch {
	case err != nil:
		return err
	case !a.Root():
		return fmt.Errorf("%s is not root's alone", p.File)
	case st.Size > maxPersisted:
		return fmt.Errorf("%s: more than %d bytes", p.File, maxPersisted)
	case s.loadRuleset == nil:
		return errors.New("nobody was asked to load it")
	}
	b, err := s.Host.ReadFile(p.File)
	if err != nil {
		return err
	}
	links, err := s.linkNames(string(b))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, persistedTimeout)
	defer cancel()
	p.Ruleset, err = s.loadRuleset(ctx, RulesetText{Nft: b, Links: links})
	return err
}

// linkNames are the interfaces of the host whose names a text has: rules compare the numbers of some.
func (s *Scan) linkNames(text string) ([]snapshot.Link, error) {
	h, err := s.Host.Route()
	if err != nil {
		return nil, err
	}
	defer h.Close()
	list, err := steady(ownPause, h.LinkList)
	if err != nil {
		return nil, err
	}
	var links []snapshot.Link
	for _, l := range list {
		if a := l.Attrs(); strings.Contains(text, a.Name) && len(links) < maxPersistedLink {
			links = append(links, snapshot.Link{Index: a.Index, Name: a.Name})
		}
	}
	return links, nil
}
