//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// etcdFlags are the options of etcd that are read, by their names here, with their places in its file.
var etcdFlags = map[string]struct {
	flag string
	file []string
}{
	"clientURLs": {"listen-client-urls", []string{"listen-client-urls"}},
	"clientAuth": {"client-cert-auth", []string{"client-transport-security", "client-cert-auth"}},
	"clientCA":   {"trusted-ca-file", []string{"client-transport-security", "trusted-ca-file"}},
	"clientCert": {"cert-file", []string{"client-transport-security", "cert-file"}},
	"clientAuto": {"auto-tls", []string{"client-transport-security", "auto-tls"}},
	"peerURLs":   {"listen-peer-urls", []string{"listen-peer-urls"}},
	"peerAuth":   {"peer-client-cert-auth", []string{"peer-transport-security", "client-cert-auth"}},
	"peerCA":     {"peer-trusted-ca-file", []string{"peer-transport-security", "trusted-ca-file"}},
	"peerCert":   {"peer-cert-file", []string{"peer-transport-security", "cert-file"}},
	"peerAuto":   {"peer-auto-tls", []string{"peer-transport-security", "auto-tls"}},
}

// etcdSettings are whether etcd asks its clients and its peers for certificates, and where it listens. Its file counts alone; without one flags
// count before the environment (etcd --help).
func (s *Scan) etcdSettings(p *process) map[string]snapshot.Fact {
	names := []string{"clientCertAuth", "peerCertAuth", "clientURLs", "peerURLs"}
	if p.cut {
		return unreadSettings(errCutArgs, names...)
	}
	env, err := s.environ(p)
	if err != nil {
		return unreadSettings(err, names...)
	}
	argv := goFlags(p.argv)
	v := map[string]string{"clientURLs": "http://localhost:2379", "peerURLs": "http://localhost:2380"}
	file := argument(argv, "--config-file")
	if file == "" {
		file = env["ETCD_CONFIG_FILE"]
	}
	if file != "" {
		m, err := s.readYAML(p, file)
		if err != nil {
			return unreadSettings(err, names...)
		}
		for name, at := range etcdFlags {
			if x := valueAt(m, at.file...); x != nil {
				v[name] = fmt.Sprint(x)
			}
		}
		return given(etcdCertificates(v))
	}
	for name, at := range etcdFlags {
		if x := env["ETCD_"+strings.ToUpper(strings.ReplaceAll(at.flag, "-", "_"))]; x != "" {
			v[name] = x
		}
		switch strings.HasSuffix(name, "Auth") || strings.HasSuffix(name, "Auto") {
		case true:
			for _, a := range argv {
				if a == "--"+at.flag || strings.HasPrefix(a, "--"+at.flag+"=") {
					v[name] = strconv.FormatBool(hasFlag(argv, "--"+at.flag))
				}
			}
		default:
			if x := argument(argv, "--"+at.flag); x != "" {
				v[name] = x
			}
		}
	}
	return given(etcdCertificates(v))
}

// goFlags are arguments with two dashes before each name, where a program takes one as well (the package flag of Go).
func goFlags(argv []string) []string {
	argv = slices.Clone(argv)
	for i, a := range argv[min(1, len(argv)):] {
		if len(a) > 1 && a[0] == '-' && a[1] != '-' {
			argv[i+1] = "-" + a
		}
	}
	return argv
}

// etcdCertificates says what the options come to. A CA has certificates asked for as client-cert-auth has, and a certificate that etcd makes for
// itself takes both away (seen with 3.4.23).
func etcdCertificates(v map[string]string) map[string]string {
	yes := func(name string) bool {
		on, err := strconv.ParseBool(v[name])
		return err == nil && on
	}
	asks := func(of string) string {
		made := yes(of+"Auto") && v[of+"Cert"] == ""
		return strconv.FormatBool((yes(of+"Auth") || v[of+"CA"] != "") && !made)
	}
	return map[string]string{"clientCertAuth": asks("client"), "peerCertAuth": asks("peer"), "clientURLs": v["clientURLs"], "peerURLs": v["peerURLs"]}
}
