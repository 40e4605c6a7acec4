package judge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// configRead is the state of a server whose configuration is known.
const configRead = "read"

func (b *builder) ssh() {
	b.doc.SSH, b.doc.KeyFiles = DocSSH{Servers: []DocSSHServer{}, Contexts: []DocSSHContext{}}, orEmpty(b.snap.SSH.KeyFiles)
	for i := range b.snap.SSH.Servers {
		v := &b.snap.SSH.Servers[i]
		d := DocSSHServer{Key: v.Kind, Kind: v.Kind, Config: v.Config, Of: b.whose(v.Word, v.Container), State: b.configState(v)}
		if d.Of != "" {
			d.Key += " of " + d.Of
		}
		b.doc.SSH.Servers = append(b.doc.SSH.Servers, d)
	}
	for i := range b.snap.SSH.Configs {
		c := &b.snap.SSH.Configs[i]
		if b.unused(c) {
			continue
		}
		for _, ctx := range c.Contexts {
			b.doc.SSH.Contexts = append(b.doc.SSH.Contexts, DocSSHContext{
				Config: c.Path, Of: b.whose(c.Server, c.Container), Source: c.Source, Match: ctx.Match,
				Values: ctx.Settings, Options: orEmpty(c.Options), Logins: docLogins(ctx.Logins), Matched: orEmpty(ctx.Matched),
				Settings: docSettings(ctx.Settings),
			})
		}
	}
}

func docSettings(all map[string][]string) DocSSHSettings {
	get := func(k string) string { return strings.ToLower(strings.Join(all[k], " ")) }
	return DocSSHSettings{
		PermitRootLogin: get("permitrootlogin"), Password: get("passwordauthentication"),
		Keyboard: get("kbdinteractiveauthentication"), Empty: get("permitemptypasswords"),
		UsePAM: get("usepam"), Methods: get("authenticationmethods"),
	}
}

// docLogins is who logs in by a password under a context. In an older snapshot nobody was looked for: who has one cannot be told.
func docLogins(l *snapshot.SSHLogins) DocSSHLogins {
	if l == nil {
		return DocSSHLogins{Root: string(snapshot.Unsure), Users: []string{}, Locked: []string{}, Unsure: []string{}, Empty: []string{}, Others: true}
	}
	return DocSSHLogins{string(l.Root), orEmpty(l.Users), orEmpty(l.Locked), orEmpty(l.Unsure), orEmpty(l.Empty), l.Others}
}

// unused says of a configuration that it is not known of any server that it is configured so: it was changed since, or options of the
// command line are not known.
func (b *builder) unused(c *snapshot.SSHConfig) bool {
	servers := 0
	for i := range b.snap.SSH.Servers {
		v := &b.snap.SSH.Servers[i]
		if !configures(c, v) {
			continue
		}
		if servers++; v.Unread == "" {
			return false
		}
	}
	return servers > 0
}

// configures says whether a server reads a configuration.
func configures(c *snapshot.SSHConfig, v *snapshot.SSHServer) bool {
	return c.Path == v.Config && c.Mntns == v.Mntns && c.Server == v.Word && slices.Equal(c.Options, v.Options)
}

// whose names the owner of a server that is not the host's own; "" for the host's.
func (b *builder) whose(w snapshot.Word, container string) string {
	switch {
	case container != "":
		return "container " + b.containerName(container)
	case w.By == snapshot.ByUID, w.By == snapshot.ByContainer:
		return w.String()
	}
	return ""
}

// configState is read, or why what a server reads is not known.
func (b *builder) configState(v *snapshot.SSHServer) string {
	if v.Unread != "" {
		return v.Unread
	}
	for i := range b.snap.SSH.Configs {
		c := &b.snap.SSH.Configs[i]
		if !configures(c, v) {
			continue
		}
		if c.Word.Trusted() || c.Word == v.Word && v.Word != (snapshot.Word{}) {
			return configRead
		}
		if c.Word == (snapshot.Word{}) {
			return "who wrote its configuration is not known"
		}
		return fmt.Sprintf("its configuration is written by %s, who does not speak for the server", c.Word)
	}
	return "the configuration of this server could not be read"
}
