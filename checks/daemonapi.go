//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// A daemon has sockets for more than its interface: metrics, health, streams, gossip, the ports of a swarm. Which of them are the interface
// its own configuration says, and whether who connects there has to show who they are.

// daemonAPI is what the configuration of a daemon says.
type daemonAPI struct {
	addrs  []string // ADDRESS:PORT, or :PORT
	verify string   // true, false, or "" where that is not known
	source string
	err    error  // not all of it was read
	why    string // why it is not known whether it asks, where all of it was read
	// leads is the control socket that a program leads to which passes connections on.
	leads string
}

// apis are the daemons by their programs.
var apis = map[string]func(s *Scan, p *process) []daemonAPI{
	"dockerd":    func(s *Scan, p *process) []daemonAPI { return []daemonAPI{s.dockerAPI(p)} },
	"containerd": func(s *Scan, p *process) []daemonAPI { return []daemonAPI{s.containerdAPI(p)} },
	"buildkitd":  func(s *Scan, p *process) []daemonAPI { return []daemonAPI{s.buildkitAPI(p)} },
	"podman":     func(s *Scan, p *process) []daemonAPI { return []daemonAPI{podmanAPI(p)} },
	// Its interface is a unix socket; what it has on TCP are streams that were asked for, and metrics (crio.conf(5)).
	"crio": func(*Scan, *process) []daemonAPI {
		return []daemonAPI{{verify: "false", source: "crio has none on TCP"}}
	},
	"kubelet":    func(s *Scan, p *process) []daemonAPI { return []daemonAPI{s.kubeletAPI(p)} },
	"k3s":        (*Scan).k3sAPI,
	"kubelite":   (*Scan).kubeliteAPI,
	"libvirtd":   (*Scan).libvirtAPI,
	"virtproxyd": (*Scan).libvirtAPI,
	// Without a certificate that it trusts it tells its version alone (authentication of LXD and Incus).
	"incusd": func(*Scan, *process) []daemonAPI {
		return []daemonAPI{{addrs: []string{":8443"}, verify: "true", source: "incusd wants trusted certificates"}}
	},
	"lxd": func(*Scan, *process) []daemonAPI {
		return []daemonAPI{{addrs: []string{":8443"}, verify: "true", source: "lxd wants trusted certificates"}}
	},
}

// optionValues are all values of an option, by any of its names. A name of one letter can have its value with it.
func optionValues(argv []string, names ...string) (list []string) {
	words := argv
	if len(argv) == 1 {
		words = strings.Fields(argv[0])
	}
	for i, a := range words {
		for _, n := range names {
			rest, ok := strings.CutPrefix(a, n)
			switch {
			case !ok:
			case rest == "" && i+1 < len(words):
				list = append(list, words[i+1])
			case strings.HasPrefix(rest, "="):
				list = append(list, rest[1:])
			case len(n) == 2 && rest != "":
				list = append(list, rest)
			}
		}
	}
	return list
}

// tcpAddress is an address of TCP as a daemon is told it, with the port that it has otherwise; false where it is of another kind.
func tcpAddress(host string, port int) (string, bool) {
	rest, ok := strings.CutPrefix(host, "tcp://")
	if !ok {
		return "", false
	}
	rest, _, _ = strings.Cut(rest, "/")
	if i := strings.LastIndexByte(rest, ':'); i < 0 || strings.HasSuffix(rest, "]") {
		rest += ":" + strconv.Itoa(port)
	}
	if local, ok := strings.CutPrefix(rest, "localhost:"); ok {
		rest = "127.0.0.1:" + local
	}
	if at, err := netip.ParseAddrPort(rest); err == nil && at.Addr().IsUnspecified() {
		rest = ":" + strconv.Itoa(int(at.Port()))
	} else if err != nil { // a name: its port alone is known, and nothing else of it is kept
		n, err := strconv.ParseUint(rest[strings.LastIndexByte(rest, ':')+1:], 10, 16)
		if err != nil {
			return "", false
		}
		rest = ":" + strconv.FormatUint(n, 10)
	}
	return rest, true
}

// dockerFile is what daemon.json says of the interface.
type dockerFile struct {
	Hosts     []string `json:"hosts"`
	TLS       bool     `json:"tls"`
	TLSVerify *bool    `json:"tlsverify"`
}

// verify says whether dockerd asks for certificates. With TLS, and without a word of it, those of today do, and older ones did not.
func (c *dockerFile) verify(argv []string) (verify, why string) {
	told := anyArgument(argv, "--tlsverify") || c.TLSVerify != nil
	switch {
	case hasFlag(argv, "--tlsverify") || c.TLSVerify != nil && *c.TLSVerify:
		return "true", ""
	case !told && (hasFlag(argv, "--tls") || c.TLS):
		return "", "it is told tls, and whether it asks for certificates without tlsverify hangs on its version"
	}
	return "false", ""
}

// dockerAPI reads -H and daemon.json. Sockets that systemd hands it are told by who has them.
func (s *Scan) dockerAPI(p *process) daemonAPI {
	d := daemonAPI{source: "arguments"}
	hosts := append(optionValues(p.argv, "-H", "--host"), optionValues(p.argv, "-DH")...)
	tls := hasFlag(p.argv, "--tls") || anyArgument(p.argv, "--tlsverify")
	file := "/etc/docker/daemon.json"
	if v := argument(p.argv, "--config-file"); v != "" {
		file = v
	}
	b, err := s.readAtStart(p, file)
	var cfg dockerFile
	if err == nil {
		d.source = file
		if json.Unmarshal(b, &cfg) != nil {
			err = fmt.Errorf("%s: %w", file, errMalformed)
		}
	}
	d.verify, d.why = cfg.verify(p.argv)
	if err != nil && !gone(err) {
		d.err = err
		if d.verify != "true" {
			d.verify = ""
		}
	}
	port := 2375
	if tls || cfg.TLS || cfg.TLSVerify != nil {
		port = 2376
	}
	for _, h := range append(hosts, cfg.Hosts...) {
		if h = strings.TrimSpace(h); h != "" && !strings.Contains(h, "://") { // opts/hosts.go of Docker, parseDaemonHost
			h = "tcp://" + h
		}
		if at, ok := tcpAddress(h, port); ok {
			d.addrs = append(d.addrs, at)
		} else if strings.HasPrefix(h, "tcp://") {
			d.err = errors.New("it is told an address that is not understood")
		}
	}
	return d.unlessCut(p)
}

func (d daemonAPI) unlessCut(p *process) daemonAPI {
	if p.cut {
		d.err = errors.New("it has more arguments than are read")
		if d.verify != "true" {
			d.verify = ""
		}
	}
	return d
}

// tomlLine is a line NAME = VALUE of TOML; values that go over several lines are put into one before.
var (
	tomlLine    = lazily(`^\s*([A-Za-z0-9_.-]+|"[^"]*")\s*=\s*(.*?)\s*$`)
	tomlSection = lazily(`^\s*\[+\s*([^\]]+?)\s*\]+\s*(?:#.*)?$`)
	tomlText    = lazily(`"([^"\\]*)"|'([^']*)'`)
)

// tomlValues are the texts of a setting of a section, which can be written into a table of one line, or by a name with a dot.
func tomlValues(text, section, key string) (list []string) {
	at, open := "", false
	for line := range strings.Lines(text) {
		if bare := strings.TrimSpace(line); bare == "" || bare[0] == '#' {
			continue
		}
		value := line
		if !open {
			if m := tomlSection.FindStringSubmatch(line); m != nil {
				at = m[1]
				continue
			}
			m := tomlLine.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			name := strings.Trim(at+"."+strings.Trim(m[1], `"`), ".")
			value = m[2]
			if inner, ok := strings.CutPrefix(value, "{"); ok && name == section {
				value = inlineOf(key).FindString(inner)
			} else if name != strings.Trim(section+"."+key, ".") {
				continue
			}
			list = nil
			open = strings.HasPrefix(value, "[") && !strings.Contains(value, "]")
		} else {
			open = !strings.Contains(line, "]")
		}
		for _, m := range tomlText.FindAllStringSubmatch(value, -1) {
			list = append(list, m[1]+m[2])
		}
	}
	return list
}

// inlineOf finds a text in a table of one line.
func inlineOf(key string) *regexp.Regexp {
	return regexp.MustCompile(`(?:^|[\s,])` + regexp.QuoteMeta(key) + `\s*=\s*("[^"]*"|'[^']*')`)
}

// maxImports bounds the files that a configuration of containerd imports.
const maxImports = 64

// containerdAPI reads tcp_address: without it containerd listens on unix sockets for its interface, whatever it has on TCP (metrics, the
// streams of its CRI plugin). It looks at the CA of clients if it has a certificate of its own alone (containerd, server.New).
func (s *Scan) containerdAPI(p *process) daemonAPI {
	d := daemonAPI{verify: "false", source: "/etc/containerd/config.toml"}
	if v := append(optionValues(p.argv, "-c", "--config"), ""); v[0] != "" {
		d.source = v[0]
	}
	files := []string{d.source}
	ca, cert := false, false
	for i := 0; i < len(files) && i < maxImports; i++ {
		b, err := s.readAtStart(p, files[i])
		if err != nil {
			if !gone(err) {
				d.err, d.verify = err, ""
			}
			continue
		}
		text := string(b)
		imports := tomlValues(text, "", "imports")
		for _, im := range imports {
			if !path.IsAbs(im) {
				im = path.Join(path.Dir(files[i]), im)
			}
			found, more := s.globIn(p, im)
			if more {
				d.err, d.verify = fmt.Errorf("%s imports more than is read", d.source), ""
			}
			for _, f := range found {
				if !slices.Contains(files, f) {
					files = append(files, f)
				}
			}
		}
		addrs := tomlValues(text, "grpc", "tcp_address")
		for _, a := range addrs {
			if at, ok := tcpAddress("tcp://"+a, 0); ok && a != "" {
				d.addrs = append(d.addrs, at)
			}
		}
		ca = ca || tomlGives(text, "grpc", "tcp_tls_ca")
		cert = cert || tomlGives(text, "grpc", "tcp_tls_cert")
	}
	if ca && cert {
		d.verify = "true"
	}
	if len(files) > maxImports {
		d.err, d.verify = fmt.Errorf("%s imports more than is read", d.source), ""
	}
	return d.unlessCut(p)
}

// tomlGives says of a setting that it is given, and not empty.
func tomlGives(text, section, key string) bool {
	v := tomlValues(text, section, key)
	return len(v) > 0 && v[0] != ""
}

// buildkitAPI reads --addr and buildkitd.toml. Without a certificate of its own it has no TLS, whatever CA it is told.
func (s *Scan) buildkitAPI(p *process) daemonAPI {
	ca, cert := argument(p.argv, "--tlscacert") != "", argument(p.argv, "--tlscert") != ""
	d := daemonAPI{verify: "false", source: "arguments"}
	hosts := optionValues(p.argv, "--addr")
	file := "/etc/buildkit/buildkitd.toml"
	if v := argument(p.argv, "--config"); v != "" {
		file = v
	}
	b, err := s.readAtStart(p, file)
	if err != nil && !gone(err) {
		d.err, d.verify = err, ""
	}
	if err == nil {
		more := tomlValues(string(b), "grpc", "address")
		hosts = append(hosts, more...)
		ca, cert = ca || tomlGives(string(b), "grpc.tls", "ca"), cert || tomlGives(string(b), "grpc.tls", "cert")
		d.source = file
	}
	if ca && cert {
		d.verify = "true"
	}
	for _, h := range hosts {
		if at, ok := tcpAddress(h, 0); ok {
			d.addrs = append(d.addrs, at)
		}
	}
	return d.unlessCut(p)
}

// podmanAPI reads what podman system service was told.
func podmanAPI(p *process) daemonAPI {
	d := daemonAPI{verify: strconv.FormatBool(hasFlag(p.argv, "--tls-client-ca")), source: "podman's API has no authentication"}
	for _, a := range p.argv {
		u, err := url.Parse(a) // tcp://HOST:PORT and tcp:HOST:PORT, whatever the case of the scheme
		if err != nil || u.Scheme != "tcp" {
			continue
		}
		if at, ok := tcpAddress("tcp://"+cmp.Or(u.Host, u.Opaque), 0); ok && !strings.HasSuffix(at, ":0") {
			d.addrs = append(d.addrs, at)
		} else {
			d.err = errors.New("it is told an address that is not understood")
		}
	}
	return d.unlessCut(p)
}

var libvirtLine = lazily(`(?m)^\s*(auth_tcp|tls_no_verify_certificate|tcp_port|tls_port|auth_tls)\s*=\s*"?([^"\s#]+)"?`)

// libvirtAPI reads the ports of libvirt: without encryption SASL is asked for unless it is switched off, with it a certificate.
func (s *Scan) libvirtAPI(p *process) []daemonAPI {
	file := "/etc/libvirt/" + p.exeBase() + ".conf"
	if v := append(optionValues(p.argv, "-f", "--config"), ""); v[0] != "" {
		file = v[0]
	}
	set := map[string]string{"tcp_port": "16509", "tls_port": "16514", "auth_tcp": "sasl", "tls_no_verify_certificate": "0"}
	b, err := s.readAtStart(p, file)
	for _, m := range libvirtLine.FindAllStringSubmatch(string(b), -1) {
		set[m[1]] = m[2]
	}
	tcp := daemonAPI{addrs: []string{":" + set["tcp_port"]}, verify: strconv.FormatBool(set["auth_tcp"] != "none"), source: file}
	tls := daemonAPI{addrs: []string{":" + set["tls_port"]}, verify: strconv.FormatBool(set["tls_no_verify_certificate"] != "1"), source: file}
	list := []daemonAPI{tcp, tls}
	for i := range list {
		if err != nil && !gone(err) {
			list[i].err, list[i].verify = err, ""
		}
		list[i] = list[i].unlessCut(p)
	}
	return list
}

// asksNobody is said of a daemon that lets everybody in who can connect.
const asksNobody = "none"

var libvirtAuth = lazily(`(?m)^\s*auth_unix_rw\s*=\s*"?([^"\s#]+)"?`)

// libvirtAsks is whom the daemon asks that has a socket of libvirt: polkit, unless its file says otherwise (libvirtd.conf, auth_unix_rw); empty if
// that is not known. One that systemd starts when somebody connects reads its file then.
func (s *Scan) libvirtAsks(socket string) string {
	daemons := []string{"libvirtd", "virtproxyd"}
	if socket != "libvirt-sock" {
		daemons = []string{strings.TrimSuffix(socket, "-sock")}
	}
	procs, err := s.processes()
	if err != nil && s.Host.Live() {
		return ""
	}
	for _, name := range daemons {
		file, read := "/etc/libvirt/"+name+".conf", s.Host.ReadFile
		for _, p := range procs {
			if p.exeBase() != name || p.Container != "" || p.Leader != 0 {
				continue
			}
			if v := append(optionValues(p.argv, "-f", "--config"), ""); v[0] != "" {
				file = v[0]
			}
			read = func(file string) ([]byte, error) { return s.readAtStart(p, file) }
		}
		b, err := read(file)
		if err != nil && !gone(err) {
			return ""
		}
		if m := libvirtAuth.FindAllStringSubmatch(string(b), -1); len(m) > 0 && m[len(m)-1][1] != "polkit" {
			return m[len(m)-1][1]
		}
	}
	return "polkit"
}

// fact is what is known of a daemon's interface on TCP.
func (d daemonAPI) fact(p *process) snapshot.DaemonTLS {
	read := present("true")
	t := snapshot.DaemonTLS{PID: p.PID, Source: d.source, Word: p.ExeWord, API: d.addrs, APIRead: &read, Leads: d.leads}
	if t.API == nil {
		t.API = []string{}
	}
	reason := cmp.Or(d.why, "it is not known whom it lets in")
	if d.err != nil {
		reason = d.err.Error()
		read = toFact("", d.err)
	}
	if t.Verify = present("%s", d.verify); d.verify == "" {
		t.Verify = snapshot.Fact{State: snapshot.Error, Reason: reason}
	}
	return t
}
