//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// socketProxies are programs that pass connections from TCP on to a unix socket. That of a runtime has no password: who reaches such a port has the
// runtime (docs.docker.com, Protect the Docker daemon socket).
var socketProxies = map[string]func(*Scan, *process) []daemonAPI{
	"socat": socatAPI, "systemd-socket-proxyd": proxydAPI, "haproxy": (*Scan).haproxyAPI, "nginx": (*Scan).nginxAPI,
}

// runtimeSocket is a socket of a runtime in a text, by the names that packages give it.
var runtimeSocket = regexp.MustCompile(`(?:/[\w.@-]+)*/(?:docker|docker-alt|podman|containerd|buildkitd|crio|cri-dockerd|libvirt-sock|virtqemud-sock|unix\.socket)(?:\.sock)?\b`)

// leadsTo is the socket of a runtime that a text names as a whole path; empty for none.
func leadsTo(text string) string {
	for _, m := range runtimeSocket.FindAllString(text, -1) {
		base := path.Base(m)
		if strings.HasSuffix(base, ".sock") || strings.HasSuffix(base, "-sock") || base == "unix.socket" {
			return path.Clean(m)
		}
	}
	return ""
}

var (
	socatTo     = regexp.MustCompile(`(?i)^(?:unix|unix-connect|unix-client|gopen|abstract-connect):([^,]+)`)
	socatListen = regexp.MustCompile(`(?i)^(?:tcp|tcp4|tcp6|openssl|ssl)-(?:l|listen):(\d{1,5})((?:,.*)?)$`)
)

// socatAPI reads what socat listens at and leads to (socat(1)). TLS asks for a certificate of the client unless it is told not to.
func socatAPI(_ *Scan, p *process) []daemonAPI {
	d := daemonAPI{source: "arguments", verify: "false"}
	for _, a := range p.argv {
		if m := socatTo.FindStringSubmatch(a); m != nil {
			d.leads = cmp.Or(d.leads, leadsTo(m[1]))
		}
		if m := socatListen.FindStringSubmatch(a); m != nil {
			d.addrs = append(d.addrs, ":"+m[1])
			low := strings.ToLower(a)
			if (strings.HasPrefix(low, "openssl") || strings.HasPrefix(low, "ssl")) && !strings.Contains(low, "verify=0") {
				d.verify = "true"
			}
		}
	}
	if d.leads == "" || len(d.addrs) == 0 {
		return nil
	}
	return []daemonAPI{d.unlessCut(p)}
}

// proxydAPI is what systemd-socket-proxyd(8) leads to; systemd gives it its sockets.
func proxydAPI(_ *Scan, p *process) []daemonAPI {
	for _, a := range p.argv[min(1, len(p.argv)):] {
		if to := leadsTo(a); to != "" && !strings.HasPrefix(a, "-") {
			d := daemonAPI{source: "arguments", verify: "false", leads: to}
			return []daemonAPI{d.unlessCut(p)}
		}
	}
	return nil
}

var (
	haproxyBind    = regexp.MustCompile(`(?m)^\s*bind\s+(\S+)(.*)$`)
	haproxyServer  = regexp.MustCompile(`(?m)^\s*(?:server\s+\S+\s+|dispatch\s+)(\S+)`)
	haproxyFilters = regexp.MustCompile(`(?m)^\s*(?:acl|http-request|tcp-request|block|use_backend|http-after-response)\s`)
)

// haproxyAPI reads the files of HAProxy (-f, files or directories): where one of its servers is a socket of a runtime, its ports lead there. What rules
// or several servers let through is not worked out.
func (s *Scan) haproxyAPI(p *process) []daemonAPI {
	text, file, err := s.proxyText(p, append(optionValues(p.argv, "-f"), "/etc/haproxy/haproxy.cfg"))
	d := daemonAPI{source: file, verify: "false", err: err}
	servers := haproxyServer.FindAllStringSubmatch(text, -1)
	for _, m := range servers {
		d.leads = cmp.Or(d.leads, leadsTo(strings.TrimPrefix(m[1], "unix@")))
	}
	if d.leads == "" {
		return nil
	}
	for _, m := range haproxyBind.FindAllStringSubmatch(text, -1) {
		for at := range strings.SplitSeq(m[1], ",") {
			if i := strings.LastIndexByte(at, ':'); i >= 0 {
				if n, err := strconv.ParseUint(at[i+1:], 10, 16); err == nil {
					d.addrs = append(d.addrs, fmt.Sprintf(":%d", n))
				}
			}
		}
		if strings.Contains(m[2], "ssl") {
			d.verify = ""
		}
	}
	if len(servers) > 1 || haproxyFilters.MatchString(text) || err != nil {
		d.verify = ""
	}
	if d.verify == "" {
		d.err = cmp.Or(d.err, fmt.Errorf("what of %s it lets through was not worked out", d.leads))
	}
	return []daemonAPI{d.unlessCut(p)}
}

// nginxAPI reads the files of nginx: what of a socket its locations let through is not worked out.
func (s *Scan) nginxAPI(p *process) []daemonAPI {
	if p.UID != 0 {
		return nil // a worker, which has what the first process has
	}
	files := []string{"/etc/nginx/nginx.conf"}
	if v := last(optionValues(p.argv, "-c")); path.IsAbs(v) {
		files = []string{v}
	}
	text, file, err := s.proxyText(p, append(files, "/etc/nginx/conf.d", "/etc/nginx/sites-enabled", "/etc/nginx/modules-enabled"))
	to := ""
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.Contains(line, "unix:") && !strings.HasPrefix(line, "#") {
			to = cmp.Or(to, leadsTo(line[strings.Index(line, "unix:")+5:]))
		}
	}
	if to == "" {
		return nil
	}
	d := daemonAPI{source: file, leads: to, err: cmp.Or(err, fmt.Errorf("what of %s it lets through was not worked out", to))}
	return []daemonAPI{d.unlessCut(p)}
}

// maxProxyFiles bounds the files of one proxy.
const maxProxyFiles = 128

// proxyText is the text of files, and of those in directories; file is the first that there is. A file that is not there counts for nothing.
func (s *Scan) proxyText(p *process, names []string) (text, file string, err error) {
	var list []string
	for _, n := range names {
		if path.IsAbs(n) && !slices.Contains(list, n) {
			list = append(list, n)
			below, more := s.globIn(p, n+"/*")
			if list = append(list, below...); more {
				err = fmt.Errorf("%s: not every file was read", n)
			}
		}
	}
	for i, n := range list {
		if i == maxProxyFiles {
			return text, file, fmt.Errorf("more than %d files", maxProxyFiles)
		}
		st, serr := s.statIn(p, n)
		if serr != nil || !st.Mode.IsRegular() {
			continue
		}
		b, rerr := s.readAtStart(p, n)
		if rerr != nil {
			err = cmp.Or(err, fmt.Errorf("%s: %w", n, cause(rerr)))
			continue
		}
		text, file = text+string(b)+"\n", cmp.Or(file, n)
	}
	return text, file, err
}
