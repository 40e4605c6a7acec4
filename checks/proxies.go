//go:build linux && !ringfence_portable

package checks

import (
	"net"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// proxyPrograms are programs that pass connections or requests on to whatever address they are told, by the name of their file. What most of them
// listen on loopback for is published by that.
var proxyPrograms = map[string]func(s *Scan, p *process) *snapshot.Relay{
	"socat": (*Scan).socatLeads, "socat1": (*Scan).socatLeads, "redir": (*Scan).redirLeads, "rinetd": (*Scan).rinetdLeads,
	"haproxy": (*Scan).haproxyLeads, "nginx": (*Scan).nginxLeads, "apache2": (*Scan).apacheLeads, "httpd": (*Scan).apacheLeads,
	"caddy": (*Scan).caddyLeads, "stunnel4": (*Scan).stunnelLeads, "stunnel": (*Scan).stunnelLeads,
}

var (
	socatInlet  = lazily(`(?i)^(?:(?:tcp|udp)[46]?-(?:l|listen)|udp[46]?-recvfrom|(?:openssl|ssl)-(?:l|listen)|accept|accept-fd):`)
	socatOutlet = lazily(`(?i)^(?:(?:tcp|udp)[46]?(?:-connect|-sendto)?|openssl|ssl|openssl-connect|ssl-connect):(\[[^\]]*\]|[^:,\[]+):([^:,]+)`)
)

// socatLeads is where socat leads: its last two arguments are where it listens and where it connects to (socat(1)).
func (s *Scan) socatLeads(p *process) *snapshot.Relay {
	r := &snapshot.Relay{Program: "socat"}
	if p.setID || p.cut || len(p.argv) < 3 {
		return r
	}
	ends := slices.Clone(p.argv[len(p.argv)-2:])
	if !socatInlet.MatchString(ends[0]) {
		ends[0], ends[1] = ends[1], ends[0]
	}
	if m := socatOutlet.FindStringSubmatch(ends[1]); m != nil && socatInlet.MatchString(ends[0]) {
		setEnds(r, net.JoinHostPort(strings.Trim(m[1], "[]"), m[2]))
	}
	low := strings.ToLower(ends[0])
	tls := strings.HasPrefix(low, "openssl") || strings.HasPrefix(low, "ssl")
	r.Chooses = tls && !strings.Contains(low, "verify=0") || socatAsks.MatchString(ends[0])
	return r
}

// redirLeads is where redir leads: its last argument, which it cuts in two at the colon when it has read it, or --caddr and --cport (redir(1)). Without
// an address it is any of this host.
func (s *Scan) redirLeads(p *process) *snapshot.Relay {
	r := &snapshot.Relay{Program: "redir"}
	if p.setID || p.cut || len(p.argv) < 2 {
		return r
	}
	to := last(p.argv)
	if !strings.Contains(to, ":") {
		to = net.JoinHostPort(strings.Trim(p.argv[len(p.argv)-2], "[]"), to)
	}
	if port := last(optionValues(p.argv, "--cport")); port != "" {
		to = net.JoinHostPort(last(optionValues(p.argv, "--caddr")), port)
	}
	host, port, err := net.SplitHostPort(to)
	if err == nil && slices.Contains([]string{"", "0.0.0.0", "::"}, host) {
		to = net.JoinHostPort("localhost", port)
	}
	setEnds(r, to)
	return r
}

var (
	rinetdRule  = lazily(`(?m)^[ \t]*(?:[0-9A-Fa-f:.]+|localhost)[ \t]+\S+[ \t]+([0-9A-Fa-f:.]+|localhost)[ \t]+(\d+)(?:/\w+)?(?:[ \t].*)?$`)
	rinetdLets  = lazily(`(?m)^\s*(?:allow|deny)\s`)
	stunnelTo   = lazily(`(?mi)^\s*connect\s*=\s*(\S+)\s*$`)
	nginxTo     = lazily(`\b(?:proxy|grpc|fastcgi|uwsgi|scgi|memcached)_pass\s+["']?((?:[a-z]+://)?[^;\s"'/$]+)|\bserver\s+([^;\s{]+)[^;{]*;`)
	apacheTo    = lazily(`(?mi)^\s*(?:ProxyPass|ProxyPassMatch|BalancerMember|RewriteRule|SetHandler)\s[^\n]*?\b((?:https?|wss?|h2c?|fcgi|scgi|uwsgi|ajp)://[^/\s"'|$]+)`)
	apacheIncl  = lazily(`(?mi)^\s*Include(?:Optional)?\s+["']?([^\s"']+)`)
	caddyTo     = lazily(`(?m)^\s*(?:reverse_proxy|php_fastcgi|to|forward_auth)\s+([^\n{]+)`)
	caddyImport = lazily(`(?m)^\s*import\s+(\S+)`)
)

// rinetdLeads reads the file of rinetd (-c), in which each line has an address and a port to listen at and those that it leads to. Several rules are not
// told apart: which socket leads where is not known then.
func (s *Scan) rinetdLeads(p *process) *snapshot.Relay {
	text, _, err := s.proxyText(p, []string{oneOption(p, "-c", "/etc/rinetd.conf")}, nil)
	var places []string
	for _, m := range rinetdRule.FindAllStringSubmatch(text, -1) {
		places = append(places, net.JoinHostPort(m[1], m[2]))
	}
	r := choosing("rinetd", p, places)
	r.Chooses = err != nil || len(places) != 1 || rinetdLets.MatchString(text)
	return r
}

// oneOption is the value of an option, or what it is without.
func oneOption(p *process, name, without string) string {
	if v := last(optionValues(p.argv, name)); v != "" {
		return v
	}
	return without
}

// choosing is a program that passes on what it chooses to these places.
func choosing(name string, p *process, places []string) *snapshot.Relay {
	r := &snapshot.Relay{Program: name, Chooses: true}
	if !p.setID {
		setEnds(r, places...)
	}
	return r
}

// stunnelLeads reads the file of stunnel: TLS may ask for certificates.
func (s *Scan) stunnelLeads(p *process) *snapshot.Relay {
	file := "/etc/stunnel/stunnel.conf"
	if len(p.argv) > 1 && !strings.HasPrefix(p.argv[1], "-") {
		file = p.argv[1]
	}
	text, _, _ := s.proxyText(p, []string{file}, nil)
	var places []string
	for _, m := range stunnelTo.FindAllStringSubmatch(text, -1) {
		places = append(places, hostPort(m[1], "localhost"))
	}
	return choosing("stunnel", p, places)
}

func (s *Scan) haproxyLeads(p *process) *snapshot.Relay {
	if s.isWorker(p) {
		return nil
	}
	text, _, _ := s.haproxyText(p)
	env := map[string]string{}
	if strings.Contains(text, "$") {
		env, _ = s.environ(p)
	}
	var places []string
	for _, m := range haproxyServer.FindAllStringSubmatch(text, -1) {
		places = append(places, hostPort(haproxyAddress(m[1], env), ""))
	}
	return choosing("haproxy", p, places)
}

func (s *Scan) nginxLeads(p *process) *snapshot.Relay {
	if s.isWorker(p) {
		return nil
	}
	text, _, _ := s.nginxText(p)
	var places []string
	for _, m := range nginxTo.FindAllStringSubmatch(text, -1) {
		places = append(places, hostPort(m[1]+m[2], ""))
	}
	return choosing("nginx", p, places)
}

// apacheLeads reads the files of Apache (-f, -d), with those that they include.
func (s *Scan) apacheLeads(p *process) *snapshot.Relay {
	if s.isWorker(p) {
		return nil
	}
	root, file := "/etc/apache2", "apache2.conf"
	if p.exeBase() == "httpd" {
		root, file = "/etc/httpd", "conf/httpd.conf"
	}
	root, file = oneOption(p, "-d", root), oneOption(p, "-f", file)
	under := func(name string) string {
		if path.IsAbs(name) {
			return name
		}
		return path.Join(root, name)
	}
	text, _, _ := s.proxyText(p, []string{under(file)}, func(text string) (list []string) {
		for _, m := range apacheIncl.FindAllStringSubmatch(text, -1) {
			list = append(list, under(m[1]))
		}
		return list
	})
	var places []string
	for _, m := range apacheTo.FindAllStringSubmatch(text, -1) {
		places = append(places, hostPort(m[1], ""))
	}
	return choosing("apache2", p, places)
}

// caddyLeads is where Caddy leads: by its Caddyfile, or by --to of "caddy reverse-proxy".
func (s *Scan) caddyLeads(p *process) *snapshot.Relay {
	var places []string
	for _, to := range optionValues(p.argv, "--to", "-t") {
		places = append(places, hostPort(to, ""))
	}
	file := oneOption(p, "--config", oneOption(p, "-c", "/etc/caddy/Caddyfile"))
	text, _, _ := s.proxyText(p, []string{file}, func(text string) (list []string) {
		for _, m := range caddyImport.FindAllStringSubmatch(text, -1) {
			if !path.IsAbs(m[1]) {
				m[1] = path.Join(path.Dir(file), m[1])
			}
			list = append(list, m[1])
		}
		return list
	})
	for _, m := range caddyTo.FindAllStringSubmatch(text, -1) {
		for word := range strings.FieldsSeq(m[1]) {
			places = append(places, hostPort(word, ""))
		}
	}
	return choosing("caddy", p, places)
}

// hostPort is an address as proxies spell it, as HOST:PORT: with or without a scheme, which has a port of its own. A port alone is one of host.
func hostPort(text, host string) string {
	port := ""
	if scheme, rest, ok := strings.Cut(text, "://"); ok {
		port = map[string]string{"https": "443", "wss": "443", "h2": "443", "ajp": "8009"}[scheme]
		if port == "" {
			port = "80"
		}
		text = rest
	}
	if _, err := strconv.ParseUint(text, 10, 16); err == nil && host != "" {
		return net.JoinHostPort(host, text)
	}
	if u, err := url.Parse("x://" + text); err == nil && u.Hostname() != "" {
		if u.Port() != "" {
			port = u.Port()
		} else if port == "" {
			port = "80"
		}
		return net.JoinHostPort(u.Hostname(), port)
	}
	if rest, ok := strings.CutPrefix(text, ":"); ok {
		text, host = rest, "localhost"
	}
	return net.JoinHostPort(host, text)
}
