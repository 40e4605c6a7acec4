//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// secrets adds the passwords and private keys of the host.
func (l *levers) secrets() {
	secret := snapshot.LeverFile{Kind: snapshot.LeverSecret, Trigger: snapshot.TriggerNone}
	for _, p := range append([]string{"/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/krb5.keytab"}, l.glob("/var/backups/*shadow*")...) {
		secret.Path, secret.By = p, "passwords of accounts"
		l.add(secret)
	}
	secret.By = "private keys"
	for _, secret.Path = range append(l.glob("/etc/ssh/ssh_host_*_key"), l.glob("/root/.ssh/*")...) {
		if !strings.HasSuffix(secret.Path, ".pub") && (!strings.HasPrefix(secret.Path, "/root/") || l.privateKey(secret.Path)) {
			l.add(secret)
		}
	}
	l.otherSecrets()
}

// privateKey says of a file of keys of SSH that it is a private one, by its name or what it begins with.
func (l *levers) privateKey(file string) bool {
	if strings.HasPrefix(file, "/root/.ssh/id_") {
		return true
	}
	head, err := l.head(file)
	if err != nil && !gone(err) {
		l.out.partialIn("files", "%s: %v", file, err)
	}
	return bytes.Contains(head, []byte("PRIVATE KEY-----"))
}

// otherSecrets adds credentials of clusters, and other keys as far as everybody can read them: systems give those to the services that need them.
func (l *levers) otherSecrets() {
	secret := snapshot.LeverFile{Kind: snapshot.LeverSecret, Trigger: snapshot.TriggerNone}
	for _, sec := range secrets {
		files := []string{sec.pattern}
		if strings.Contains(sec.pattern, "*") {
			files = l.glob(sec.pattern)
		}
		for _, secret.Path = range files {
			if strings.HasSuffix(secret.Path, ".pub") {
				continue
			}
			secret.By = "private keys"
			if sec.kind == snapshot.SecretCluster {
				secret.By = snapshot.ClusterCredentials
			}
			before := len(l.list)
			l.add(secret)
			for i := before; i < len(l.list) && sec.kind != snapshot.SecretCluster; i++ {
				l.list[i].Permits = slices.DeleteFunc(l.list[i].Permits, func(p snapshot.Permit) bool { return p.Who != snapshot.PermitAll })
			}
			if n := len(l.list); n > before && len(l.list[n-1].Permits) == 0 && l.list[n-1].Unread == "" {
				l.list = l.list[:n-1]
			}
		}
	}
}
