//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// socketProxies are programs that pass connections from TCP on to a unix socket. That of a runtime has no password: who reaches such a port has the
// runtime (docs.docker.com, Protect the Docker daemon socket).
var socketProxies = map[string]func(*Scan, *process, leads) []daemonAPI{
	"socat": socatAPI, "systemd-socket-proxyd": proxydAPI, "haproxy": (*Scan).haproxyAPI, "nginx": (*Scan).nginxAPI,
}

// leads is the control socket that a text names as a whole path; empty for none.
type leads func(text string) string

// notSeenWhere is said of a proxy whose files were not read: where it leads to is not known.
const notSeenWhere = "?"

var (
	socketPath  = lazily(`(?:/[\w.@+-]+)+`)
	socketNamed = lazily(`^(?:(?:docker|podman|containerd|buildkitd|crio|cri-dockerd)\.sock|(?:libvirt|virtqemud)-sock|unix\.socket)$`)
)

// leadsOf knows the control sockets that were found, as a process of a container sees them, and others by the names that packages give them.
func leadsOf(known []snapshot.ControlSocket, container string) leads {
	return func(text string) string {
		for _, file := range socketPath.FindAllString(text, -1) {
			file = path.Clean(file)
			if socketNamed.MatchString(path.Base(file)) ||
				slices.ContainsFunc(known, func(k snapshot.ControlSocket) bool { return k.IsAt(container, file) }) {
				return file
			}
		}
		return ""
	}
}

var (
	socatTo     = lazily(`(?i)^(?:unix|unix-connect|unix-client|gopen):([^,]+)`)
	socatListen = lazily(`(?i)^(?:tcp|tcp4|tcp6|openssl|ssl)-(?:l|listen):([^,]+)`)
	// socatAsks are options by which it asks who connects.
	socatAsks = lazily(`(?i),(?:range|tcpwrap|tcpwrapper|sourceport|sp|lowport)\b`)
)

// socatAPI reads what socat listens at and leads to (socat(1)). TLS asks for a certificate of the client unless it is told not to.
func socatAPI(_ *Scan, p *process, to leads) []daemonAPI {
	d := daemonAPI{source: "arguments", verify: "false"}
	listens, named := false, false
	for _, a := range p.argv {
		if m := socatTo.FindStringSubmatch(a); m != nil {
			d.leads = cmp.Or(d.leads, to(m[1]))
		}
		m := socatListen.FindStringSubmatch(a)
		if m == nil {
			continue
		}
		listens = true
		if _, err := strconv.ParseUint(m[1], 10, 16); err != nil { // the name of a service
			named = true
		}
		d.addrs = append(d.addrs, ":"+m[1])
		low := strings.ToLower(a)
		switch {
		case (strings.HasPrefix(low, "openssl") || strings.HasPrefix(low, "ssl")) && !strings.Contains(low, "verify=0"):
			d.verify = "true"
		case socatAsks.MatchString(a):
			d.verify, d.err = "", errors.New("whom it lets in was not worked out")
		}
	}
	if d.leads == "" || !listens {
		return nil
	}
	if named {
		d.addrs = nil
	}
	return []daemonAPI{d.unlessCut(p)}
}

// proxydAPI is what systemd-socket-proxyd(8) leads to; systemd gives it its sockets.
func proxydAPI(_ *Scan, p *process, to leads) []daemonAPI {
	for _, a := range p.argv[min(1, len(p.argv)):] {
		if at := to(a); at != "" && !strings.HasPrefix(a, "-") {
			d := daemonAPI{source: "arguments", verify: "false", leads: at}
			return []daemonAPI{d.unlessCut(p)}
		}
	}
	return nil
}

var (
	haproxyBind    = lazily(`(?m)^\s*bind\s+(\S+)(.*)$`)
	haproxyServer  = lazily(`(?m)^\s*(?:server\s+\S+\s+|dispatch\s+)(\S+)`)
	haproxyFilters = lazily(`(?m)^\s*(?:acl|http-request|tcp-request|block|use_backend|http-after-response|filter|redirect|deny|reqdeny)\s`)
	haproxyTaking  = lazily(`(?m)^\s*(?:frontend|listen)\s`)
)

// haproxyText is the text of the files of HAProxy.
func (s *Scan) haproxyText(p *process) (text, file string, err error) {
	files := optionValues(p.argv, "-f")
	if i := slices.Index(p.argv, "--"); i >= 0 {
		files = append(files, p.argv[i+1:]...)
	}
	if len(files) == 0 {
		files = []string{"/etc/haproxy/haproxy.cfg"}
	}
	return s.proxyText(p, files, nil)
}

// haproxyAPI reads the files of HAProxy (-f, files or directories): where one of its servers is a socket of a runtime, its ports lead there. What rules,
// several servers or several frontends let through is not worked out.
func (s *Scan) haproxyAPI(p *process, to leads) []daemonAPI {
	if s.isWorker(p) {
		return nil
	}
	text, file, err := s.haproxyText(p)
	d := daemonAPI{source: file, verify: "false", err: err}
	env := map[string]string{}
	if strings.Contains(text, "$") {
		if env, err = s.environ(p); err != nil {
			d.err = cmp.Or(d.err, err)
		}
	}
	servers := haproxyServer.FindAllStringSubmatch(text, -1)
	for _, m := range servers {
		at := haproxyAddress(m[1], env)
		if d.leads = cmp.Or(d.leads, to(at)); d.leads == "" && strings.Contains(at, "$") {
			d.leads, d.verify = notSeenWhere, ""
		}
	}
	if d.leads == "" && d.err != nil {
		d.leads = notSeenWhere
	}
	if d.leads == "" {
		return nil
	}
	asks := false
	if d.addrs, asks = haproxyPorts(text, env); asks || d.err != nil || len(servers) > 1 || haproxyFilters.MatchString(text) || len(haproxyTaking.FindAllString(text, 3)) > 1 {
		d.verify = ""
	}
	if d.verify == "" {
		d.err = cmp.Or(d.err, fmt.Errorf("what of %s it lets through was not worked out", d.leads))
	}
	return []daemonAPI{d.unlessCut(p)}
}

// haproxyAddress is an address with the variables of the environment put in; what is not known stays.
func haproxyAddress(at string, env map[string]string) string {
	return os.Expand(strings.Trim(at, `"`), func(name string) string { return cmp.Or(env[name], "$"+name) })
}

// haproxyPorts are the ports that it binds, none if one of them is not known: then it can be any of its sockets. unsure says so, and of TLS, which can
// ask for certificates.
func haproxyPorts(text string, env map[string]string) (ports []string, unsure bool) {
	odd := false
	for _, m := range haproxyBind.FindAllStringSubmatch(text, -1) {
		unsure = unsure || strings.Contains(m[2], "ssl")
		for at := range strings.SplitSeq(haproxyAddress(m[1], env), ",") {
			if strings.HasPrefix(at, "/") || strings.HasPrefix(at, "unix@") || strings.HasPrefix(at, "abns@") {
				continue
			}
			n, err := strconv.ParseUint(at[strings.LastIndexByte(at, ':')+1:], 10, 16)
			odd = odd || err != nil
			ports = append(ports, fmt.Sprintf(":%d", n))
		}
	}
	if odd {
		return nil, true
	}
	return ports, unsure
}

// nginxInclude is a directive by which a file of nginx leads to others.
var nginxInclude = lazily(`\binclude\s+([^;\s]+)\s*;`)

// nginxText is the text of the files of nginx.
func (s *Scan) nginxText(p *process) (text, source string, err error) {
	file := "/etc/nginx/nginx.conf"
	if v := last(optionValues(p.argv, "-c")); v != "" {
		file = v
	} else if len(optionValues(p.argv, "-p")) > 0 {
		file = ""
	}
	return s.proxyText(p, []string{file}, func(text string) (list []string) {
		for _, m := range nginxInclude.FindAllStringSubmatch(text, -1) {
			if m[1] = strings.Trim(m[1], `"'`); !path.IsAbs(m[1]) {
				m[1] = path.Join(path.Dir(file), m[1])
			}
			list = append(list, m[1])
		}
		return list
	})
}

// nginxAPI reads the files of nginx: what of a socket its locations let through is not worked out.
func (s *Scan) nginxAPI(p *process, to leads) []daemonAPI {
	if s.isWorker(p) {
		return nil
	}
	text, source, err := s.nginxText(p)
	at := ""
	for line := range strings.Lines(text) {
		if _, rest, ok := strings.Cut(line, "unix:"); ok {
			at = cmp.Or(at, to(rest))
		}
	}
	if at == "" && err != nil {
		at = notSeenWhere
	}
	if at == "" {
		return nil
	}
	d := daemonAPI{source: source, leads: at, err: cmp.Or(err, fmt.Errorf("what of %s it lets through was not worked out", at))}
	return []daemonAPI{d.unlessCut(p)}
}

// isWorker says of a process that its parent runs the same program: that one has the same sockets, and files.
func (s *Scan) isWorker(p *process) bool {
	procs, _ := s.processes()
	return slices.ContainsFunc(procs, func(q *process) bool { return q.PID == p.PPID && q.Leader == 0 && q.Exe == p.Exe })
}

// newest is the last worker of a process, which has read its files again if it was told to; itself if it has none.
func (s *Scan) newest(p *process) *process {
	procs, _ := s.processes()
	last, at := p, s.startOf(p.PID)
	for _, q := range procs {
		if q.PPID != p.PID || q.Leader != 0 || q.Exe != p.Exe {
			continue
		}
		if began := s.startOf(q.PID); began.After(at) {
			last, at = q, began
		}
	}
	return last
}

// maxProxyFiles bounds the files of one proxy.
const maxProxyFiles = 128

// proxyText is the text of files, of those with .cfg in directories, and of those that they lead to, without comments; file is the first that there is. A
// file that is not there counts for nothing.
func (s *Scan) proxyText(p *process, names []string, includes func(text string) []string) (text, file string, err error) {
	p = s.newest(p)
	list, seen := slices.Clone(names), 0
	for i := 0; i < len(list) && i < 2*maxProxyFiles; i++ {
		n := list[i]
		if !path.IsAbs(n) {
			err = cmp.Or(err, fmt.Errorf("%q is no whole path", n))
			continue
		}
		st, serr := s.statIn(p, n)
		if serr == nil && !st.IsDir && !st.Mode.IsRegular() {
			continue
		}
		if gone(serr) || serr == nil && st.IsDir {
			below, more := s.globIn(p, map[bool]string{true: n + "/*.cfg", false: n}[serr == nil])
			if more {
				err = cmp.Or(err, fmt.Errorf("%s: not every file was read", n))
			}
			for _, b := range below {
				if !slices.Contains(list, b) {
					list = append(list, b)
				}
			}
			continue
		}
		b, rerr := s.readAtStart(p, n)
		if seen++; rerr != nil || seen > maxProxyFiles {
			err = cmp.Or(err, fmt.Errorf("%s: %w", n, cmp.Or(cause(rerr), errMalformed)))
			continue
		}
		var own strings.Builder
		for line := range strings.Lines(string(b)) {
			if !strings.HasPrefix(strings.TrimSpace(line), "#") {
				own.WriteString(line)
			}
		}
		text, file = text+own.String()+"\n", cmp.Or(file, n)
		if includes == nil {
			continue
		}
		for _, inc := range includes(own.String()) {
			if !slices.Contains(list, inc) {
				list = append(list, inc)
			}
		}
	}
	if len(list) > 2*maxProxyFiles {
		err = cmp.Or(err, fmt.Errorf("more than %d files", 2*maxProxyFiles))
	}
	return text, file, err
}
