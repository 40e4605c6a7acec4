package judge

import (
	"fmt"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// configRead is the state of a server whose configuration is known.
const configRead = "read"

func (b *builder) ssh() {
	b.doc.SSH = DocSSH{Servers: []DocSSHServer{}, Contexts: []DocSSHContext{}}
	for i := range b.snap.SSH.Servers {
		v := &b.snap.SSH.Servers[i]
		d := DocSSHServer{Key: v.Kind, Kind: v.Kind, Config: v.Config, Of: b.whose(v.Word, v.Container), State: b.configState(v)}
		if d.Of != "" {
			d.Key += " of " + d.Of
		}
		b.doc.SSH.Servers = append(b.doc.SSH.Servers, d)
	}
	for _, c := range b.snap.SSH.Configs {
		for _, ctx := range c.Contexts {
			get := func(k string) string { return strings.ToLower(strings.Join(ctx.Settings[k], " ")) }
			b.doc.SSH.Contexts = append(b.doc.SSH.Contexts, DocSSHContext{
				Config: c.Path, Of: b.whose(c.Server, c.Container), Source: c.Source, Match: ctx.Match,
				Settings: DocSSHSettings{
					PermitRootLogin: get("permitrootlogin"), Password: get("passwordauthentication"),
					Keyboard: get("kbdinteractiveauthentication"), Empty: get("permitemptypasswords"),
					UsePAM: get("usepam"), Methods: get("authenticationmethods"),
				},
			})
		}
	}
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
	for i := range b.snap.SSH.Configs {
		c := &b.snap.SSH.Configs[i]
		if c.Path != v.Config || c.Mntns != v.Mntns || c.Server != v.Word {
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
