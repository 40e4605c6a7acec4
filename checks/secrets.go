//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// secrets are files that root alone should read, and what is in them; who becomes root by passwords and keys of SSH is another question
// (collectPowers).
var secrets = []struct{ pattern, kind string }{
	{"/etc/kubernetes/*.conf", snapshot.SecretCluster},
	{"/etc/kubernetes/pki/*.key", snapshot.SecretCluster},
	{"/etc/kubernetes/pki/etcd/*.key", snapshot.SecretCluster},
	{"/var/lib/kubelet/pki/*.pem", snapshot.SecretCluster},
	{"/etc/rancher/k3s/k3s.yaml", snapshot.SecretCluster},
	{"/etc/rancher/rke2/rke2.yaml", snapshot.SecretCluster},
	{"/var/lib/rancher/k3s/server/token", snapshot.SecretCluster},
	{"/var/lib/rancher/rke2/server/token", snapshot.SecretCluster},
	{"/var/lib/k0s/pki/*.conf", snapshot.SecretCluster},
	{"/var/snap/microk8s/current/credentials/*.config", snapshot.SecretCluster},
	{"/root/.kube/config", snapshot.SecretCluster},
	{"/root/.aws/credentials", snapshot.SecretKey},
	{"/root/.docker/config.json", snapshot.SecretKey},
	{"/root/.netrc", snapshot.SecretKey},
	{"/root/.git-credentials", snapshot.SecretKey},
	{"/etc/ssl/private/*.key", snapshot.SecretKey},
	{"/etc/wireguard/*.conf", snapshot.SecretKey},
	{"/etc/openvpn/*.key", snapshot.SecretKey},
	{"/etc/openvpn/server/*.key", snapshot.SecretKey},
	{"/etc/docker/*.pem", snapshot.SecretKey},
}

// maxSecrets bounds the files that are looked at, and those that are kept.
const maxSecrets = 1024

// readersExpected are the groups that systems give a kind of secret to (ssl-cert of Debian): who is in them was put there.
var readersExpected = []string{"ssl-cert"}

// secretsRead finds the secrets that somebody else than root can read. Nothing is opened.
func (s *Scan) secretsRead(ctx context.Context, out *Outcome) (list []snapshot.Readable) {
	n, w := 0, s.newPermitWalker()
	for _, sec := range secrets {
		files, more := []string{sec.pattern}, false
		if strings.Contains(sec.pattern, "*") {
			files, more = s.Host.Glob(sec.pattern)
		}
		if more {
			out.partialIn("readable", "%s: not every name was looked at", sec.pattern)
		}
		for _, file := range files {
			if n++; n > maxSecrets || ctx.Err() != nil {
				out.partialIn("readable", "not every secret was looked at")
				return list
			}
			if strings.HasSuffix(file, ".pub") {
				continue
			}
			who, err := s.elseReads(w, file)
			switch {
			case gone(err):
			case err != nil:
				out.partialIn("readable", "%s: %v", file, err)
			case who != "":
				list = append(list, snapshot.Readable{Path: file, Kind: sec.kind, Who: who})
			}
		}
	}
	return list
}

// elseReads says who besides root can read a file: by its mode or its list, and a way through every directory above it.
func (s *Scan) elseReads(w *permitWalker, file string) (string, error) {
	st, err := s.Host.Stat(file)
	if err != nil || st.IsDir {
		return "", err
	}
	if st.UID != 0 && st.Perm&0o400 != 0 {
		return fmt.Sprintf("it belongs to uid %d", st.UID), nil
	}
	list, err := w.throughReaders(file)
	if err != nil {
		return "", err
	}
	who := ""
	for _, p := range list {
		switch {
		case p.Who == snapshot.PermitAll:
			return "everybody can read it", nil
		case p.Who == snapshot.PermitGroup && p.ID != 0 && s.groupHasOthers(p.ID, 0) && !s.groupExpected(p.ID):
			who = cmp.Or(who, fmt.Sprintf("group %d can read it, which others are in", p.ID))
		case p.Who == snapshot.PermitUser:
			who = cmp.Or(who, fmt.Sprintf("uid %d can read it", p.ID))
		}
	}
	return who, nil
}

// groupExpected says of a group that a system makes it for readers of secrets.
func (s *Scan) groupExpected(gid int) bool {
	for _, g := range s.groups() {
		if g.gid == gid {
			if slices.Contains(readersExpected, g.name) {
				return true
			}
		}
	}
	return false
}
