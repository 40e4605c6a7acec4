//go:build linux && !ringfence_portable

package checks

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// publisher is a program of the data file that makes something of the host reachable by a connection that goes out from here.
type publisher struct {
	Program string   `json:"program"`
	Exe     []string `json:"exe"`
	Args    string   `json:"args"` // pattern of what it runs, from its name on
	To      string   `json:"to"`
	Shell   bool     `json:"shell"`
	Target  string   `json:"target"` // pattern whose groups are a port, an address with a port, or a URL
	argsR   *regexp.Regexp
	targetR *regexp.Regexp
}

func (k *publisher) compile() (err error) {
	if k.argsR, err = regexp.Compile(k.Args); err == nil && k.Target != "" {
		k.targetR, err = regexp.Compile(k.Target)
	}
	return err
}

const (
	maxPublishers = 200
	maxTargets    = 16
)

// findPublishers adds the programs that publish something of this host, and what Tailscale was told to.
func (s *Scan) findPublishers(sec *snapshot.Agents, known []*publisher) {
	read := present("processes")
	procs, err := s.processes()
	if err != nil {
		read = toFact("", err)
	}
	for _, p := range procs {
		if p.Leader != 0 || p.setID || len(p.argv) == 0 {
			continue
		}
		for _, k := range known {
			pub := k.of(p)
			switch {
			case pub == nil:
				continue
			case len(sec.Publishers) >= maxPublishers:
				read = snapshot.Fact{State: snapshot.Error, Reason: fmt.Sprintf("there are more than %d programs that publish something", maxPublishers)}
			default:
				sec.Publishers = append(sec.Publishers, *pub)
			}
			break
		}
		if pubs, err := s.tailscaleServes(p); err != nil {
			read = toFact("", fmt.Errorf("what Tailscale serves: %w", err))
		} else {
			sec.Publishers = append(sec.Publishers, pubs...)
		}
	}
	if s.procGap != "" && read.State == snapshot.Present {
		read = snapshot.Fact{State: snapshot.Error, Reason: s.procGap}
	}
	sec.PublishersRead = &read
}

// of says what a process publishes; nil for nothing.
func (k *publisher) of(p *process) *snapshot.Publisher {
	exe, line := p.exeBase(), p.command()
	if !slices.Contains(k.Exe, exe) && !slices.Contains(k.Exe, path.Base(strings.SplitN(line+" ", " ", 2)[0])) || !k.argsR.MatchString(line) {
		return nil
	}
	pub := &snapshot.Publisher{Program: k.Program, PID: p.PID, UID: p.UID, Unit: p.Unit, Container: p.Container, To: k.To, Shell: k.Shell}
	if k.Program == "ssh -R" {
		return sshRemote(pub, p.argv)
	}
	if k.targetR != nil {
		for _, m := range k.targetR.FindAllStringSubmatch(line, maxTargets) {
			for _, g := range m[1:] {
				if t := localTarget(g); t != "" && !slices.Contains(pub.Targets, t) {
					pub.Targets = append(pub.Targets, t)
				}
			}
		}
	}
	return pub
}

// localTarget is an address of the host as a tunnel names it: a port, an address with one, or a URL; "" for what is not on loopback.
func localTarget(text string) string {
	if text == "" {
		return ""
	}
	if n, err := strconv.ParseUint(text, 10, 16); err == nil {
		return fmt.Sprintf("127.0.0.1:%d", n)
	}
	port := map[string]string{"http": "80", "https": "443", "https+insecure": "443"}
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		text = u.Host
		if u.Port() == "" {
			text = net.JoinHostPort(u.Hostname(), port[u.Scheme])
		}
	}
	name, at, err := net.SplitHostPort(text)
	if n, perr := strconv.ParseUint(at, 10, 16); err != nil || perr != nil || n == 0 {
		return ""
	}
	switch ip := net.ParseIP(name); {
	case name == "localhost", name == "", ip != nil && (ip.IsLoopback() || ip.IsUnspecified()):
		return "127.0.0.1:" + at
	}
	return ""
}

// relays are servers that publish what is forwarded to them, whoever asks (their own pages).
var relayServers = lazily(`(^|@)(localhost\.run|serveo\.net|[a-z0-9.-]*\.?pinggy\.(io|online)|tunnel\.us\.ngrok\.com|sish\.top|[a-z0-9.-]*\.srv\.us|ssh\.localhost\.run|bore\.digital)$`)

// sshRemote is what ssh -R publishes: at a server that is made for it, or at every address of another machine if that lets it (ssh(1), -R;
// sshd_config(5), GatewayPorts). At the loopback of another machine it is a way for those who are on that.
func sshRemote(pub *snapshot.Publisher, argv []string) *snapshot.Publisher {
	pub.To = ""
	if slices.ContainsFunc(argv, relayServers.MatchString) {
		pub.To = "everybody"
	}
	found := false
	for _, v := range optionValues(argv, "-R") {
		if v == "" || strings.HasPrefix(v, "/") {
			continue
		}
		bind, target, dynamic := remoteForward(v)
		if dynamic {
			found = true // a proxy into this network
		}
		if t := localTarget(target); t != "" {
			found = true
			pub.Targets = append(pub.Targets, t)
		}
		if pub.To == "" && (bind == "" && strings.HasPrefix(v, ":") || bind == "*" || bind == "0.0.0.0" || bind == "::") {
			pub.To = "everybody"
		}
	}
	if !found {
		return nil
	}
	if pub.To == "" {
		pub.To = "server"
	}
	return pub
}

// remoteForward takes the value of -R apart: [BIND:]PORT:HOST:HOSTPORT, or [BIND:]PORT for a proxy (SOCKS).
func remoteForward(v string) (bind, target string, dynamic bool) {
	if rest, ok := strings.CutPrefix(v, "["); ok { // an IPv6 address
		inner, after, _ := strings.Cut(rest, "]")
		b, t, d := remoteForward("x" + after)
		if b != "" {
			b = inner
		}
		return b, t, d
	}
	f := strings.SplitN(v, ":", 4)
	switch len(f) {
	case 1:
		return "", "", true
	case 2:
		return f[0], "", true
	case 3:
		return "", f[1] + ":" + f[2], false
	}
	return f[0], f[2] + ":" + f[3], false
}

// tailscaleServes is what the state of root's tailscaled says that it serves, to its network or by Funnel to everybody (ipn.ServeConfig).
func (s *Scan) tailscaleServes(p *process) ([]snapshot.Publisher, error) {
	if p.exeBase() != "tailscaled" || p.UID != 0 || p.Container != "" {
		return nil, nil
	}
	file := "/var/lib/tailscale/tailscaled.state"
	if v := argument(p.argv, "--state"); path.IsAbs(v) {
		file = v
	}
	b, err := s.rootFile(file)
	if err != nil {
		if gone(err) {
			return nil, nil
		}
		return nil, err
	}
	return servesIn(b, p)
}

// servesIn reads the parts of the state that say what is served; it holds keys besides, which are not kept.
func servesIn(state []byte, p *process) (list []snapshot.Publisher, err error) {
	var all map[string]string
	if json.Unmarshal(state, &all) != nil {
		return nil, errMalformed
	}
	for _, key := range sortedKeys(all) {
		if !strings.HasPrefix(key, "_serve/") {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(all[key])
		var cfg struct {
			TCP map[string]struct {
				TCPForward string `json:"TCPForward"`
			} `json:"TCP"`
			Web map[string]struct {
				Handlers map[string]struct {
					Proxy string `json:"Proxy"`
				} `json:"Handlers"`
			} `json:"Web"`
			AllowFunnel map[string]bool `json:"AllowFunnel"`
		}
		if err != nil || json.Unmarshal(raw, &cfg) != nil {
			return nil, errMalformed
		}
		pubs := map[string]*snapshot.Publisher{}
		note := func(port, target string) {
			to := "members"
			for at, on := range cfg.AllowFunnel {
				if _, open, _ := strings.Cut(at, ":"); on && open == port {
					to = "everybody"
				}
			}
			t := localTarget(target)
			if t == "" {
				return
			}
			if pubs[to] == nil {
				pubs[to] = &snapshot.Publisher{Program: "tailscale " + map[string]string{"members": "serve", "everybody": "funnel"}[to], PID: p.PID, UID: p.UID, Unit: p.Unit, To: to}
			}
			if pub := pubs[to]; !slices.Contains(pub.Targets, t) && len(pub.Targets) < maxTargets {
				pub.Targets = append(pub.Targets, t)
			}
		}
		for _, port := range sortedKeys(cfg.TCP) {
			note(port, cfg.TCP[port].TCPForward)
		}
		for _, at := range sortedKeys(cfg.Web) {
			_, port, _ := strings.Cut(at, ":")
			for _, h := range sortedKeys(cfg.Web[at].Handlers) {
				note(port, cfg.Web[at].Handlers[h].Proxy)
			}
		}
		for _, to := range sortedKeys(pubs) {
			list = append(list, *pubs[to])
		}
	}
	return list, nil
}
