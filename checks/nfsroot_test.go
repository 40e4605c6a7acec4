//go:build linux && !ringfence_portable

package checks

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestExportsOfRoot: those count alone that the kernel serves and a client writes as root.
func TestExportsOfRoot(t *testing.T) {
	const serves = "644 0:0 /proc/fs/nfsd/portlist = tcp 2049\n"
	table := func(line string) string { return "644 0:0 /var/lib/nfs/etab = " + line + "\n" }
	open := snapshot.RootExport{Dir: "/srv", To: "*(rw,no_root_squash)"}
	for name, c := range map[string]struct {
		files []string
		want  []snapshot.RootExport
	}{
		"as root":             {[]string{serves, table("/srv *(rw,no_root_squash)")}, []snapshot.RootExport{open}},
		"no server":           {[]string{table("/srv *(rw,no_root_squash)")}, nil},
		"not as root":         {[]string{serves, table("/srv *(rw,root_squash)")}, nil},
		"to read":             {[]string{serves, table("/srv *(ro,no_root_squash)")}, nil},
		"as one account":      {[]string{serves, table("/srv *(rw,no_root_squash,all_squash)")}, nil},
		"with Kerberos":       {[]string{serves, table("/srv *(sec=krb5p,rw,no_root_squash)")}, nil},
		"from every port":     {[]string{serves, table("/srv *(rw,insecure,no_root_squash)")}, []snapshot.RootExport{{Dir: "/srv", To: "*(rw,insecure,no_root_squash)", AnyPort: true}}},
		"ports of everybody":  {[]string{serves, table("/srv *(rw,no_root_squash)"), "644 0:0 /proc/sys/net/ipv4/ip_unprivileged_port_start = 80\n"}, []snapshot.RootExport{{Dir: "/srv", To: "*(rw,no_root_squash)", AnyPort: true}}},
		"for the host itself": {[]string{serves, table("/srv localhost(rw,no_root_squash)")}, []snapshot.RootExport{{Dir: "/srv", To: "localhost(rw,no_root_squash)", OwnHost: true}}},
		"twice, once narrow":  {[]string{serves, table("/srv *(rw,no_root_squash)\n/a *(ro)")}, []snapshot.RootExport{open}},
	} {
		snap := new(snapshot.Snapshot)
		collectPowers(t.Context(), powerHost(t, c.files...), snap)
		if !slices.Equal(snap.Powers.Exports, c.want) {
			t.Errorf("%s: want %+v, got %+v", name, c.want, snap.Powers.Exports)
		}
	}
}
