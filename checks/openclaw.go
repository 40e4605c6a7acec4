//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// openClaw reads the configuration and version of one OpenClaw gateway, as the gateway sees its
// files. Its process replaces its arguments by a title, so flags are usually lost: the environment,
// the configuration and the parent's arguments are read, and the sockets say the rest.
func (s *Scan) openClaw(p *process, a *snapshot.Agent, out *Outcome) {
	var env map[string]string
	var envErr error
	if !p.setID {
		env, envErr = s.environ(p)
	}
	if envErr != nil && denied(envErr) {
		out.partial("environment of OpenClaw: %v (needs CAP_SYS_PTRACE)", envErr)
	}
	a.Version = s.openClawVersion(p, env)
	if port := atoiOr(env["OPENCLAW_GATEWAY_PORT"], 0); port != 0 {
		a.Ports = []int{port}
	}
	cfg := &snapshot.OpenClawConfig{
		Path: s.openClawPath(p, env), Bind: s.boundTo(p), Port: a.Ports[0],
		Sandbox: "off", ExecSecurity: "full", ExecAsk: "off",
	}
	// What is wrong with this file is about this gateway alone: others of the host are judged all the same.
	word, err := s.readOpenClaw(p, env, cfg)
	a.ConfigRead, a.ConfigWord = toFact(cfg.Path, err), word
	if envErr != nil && !gone(envErr) && a.ConfigRead.State == snapshot.Absent { // the environment can name another file
		a.ConfigRead = snapshot.Fact{State: snapshot.Error, Reason: "its environment, which can name another file, was not read: " + envErr.Error()}
	}
	// Its file says by which mode it authenticates, before its environment gives a secret for one.
	named := cfg.AuthMode != ""
	if !named {
		cfg.AuthMode = "token"
	}
	if cfg.Sandbox != "unknown" && (a.ConfigRead.State == snapshot.Error || a.ConfigRead.State == snapshot.Denied) {
		cfg.AuthMode = ""
	}
	if env["OPENCLAW_GATEWAY_TOKEN"] != "" || env["OPENCLAW_GATEWAY_PASSWORD"] != "" {
		cfg.SecretSet = true
		if cfg.AuthMode != "" && !named && env["OPENCLAW_GATEWAY_TOKEN"] == "" {
			cfg.AuthMode = "password"
		}
		s.mu.Lock()
		s.redacted++
		s.mu.Unlock()
	}
	hidden := s.openClawFlags(p, env, cfg)
	a.Config = cfg
	a.Ports = []int{cfg.Port}
	if a.Auth = openClawAuth(cfg); a.Auth.State == snapshot.Error && a.ConfigRead.State != snapshot.Present {
		a.Auth.Reason = a.ConfigRead.Reason
	}
	if hidden {
		a.Auth = snapshot.Fact{State: snapshot.Error, Reason: "its title hides the options that it was started with, and --auth can be one of them"}
	} else if a.ConfigRead.State != snapshot.Present && !cfg.SecretSet && cfg.AuthMode != authNone {
		// Without file and environment only the lost arguments can have given the secret.
		a.Auth = snapshot.Fact{State: snapshot.Absent, Reason: "set neither by file nor by environment"}
	}
}

// openClawAuth is how a gateway authenticates, by the modes that there are.
func openClawAuth(cfg *snapshot.OpenClawConfig) snapshot.Fact {
	if cfg.AuthMode == "trusted-proxy" && cfg.ProxyNetwork != "" {
		return snapshot.Fact{State: snapshot.Error, Reason: "who has an address of " + cfg.ProxyNetwork + " (gateway.trustedProxies) says who comes, and is asked for nothing"}
	}
	if slices.Contains([]string{"none", "token", "password", "trusted-proxy"}, cfg.AuthMode) {
		return present("%s", cfg.AuthMode)
	}
	cfg.AuthMode = "unknown"
	return snapshot.Fact{State: snapshot.Error, Reason: "gateway.auth.mode is a variable that is not known, or a mode that is not"}
}

// readOpenClaw reads the configuration of a gateway with what it includes and what its variables stand for.
func (s *Scan) readOpenClaw(p *process, env map[string]string, cfg *snapshot.OpenClawConfig) (snapshot.Word, error) {
	b, word, err := s.configOf(p, cfg.Path)
	if err != nil {
		return word, err
	}
	if !bytes.ContainsAny(b, `$\`) { // most have neither, nor an escape for one; one that many gateways share is decoded once
		return word, s.applyOpenClaw(b, cfg)
	}
	t := &clawTree{read: func(file string) ([]byte, snapshot.Word, error) { return s.configOf(p, file) }}
	tree, err := t.load(cfg.Path, nil)
	if err != nil {
		return t.word, err
	}
	var d decoded
	d.file, d.err = fileOf(substitute(tree, s.clawEnv(p, env, path.Dir(cfg.Path), tree)))
	if d.err == nil && !t.word.SpeaksFor(&p.Process) && p.Container == "" && !s.separate(p) {
		d.err = fmt.Errorf("%s can write a part of it", t.word)
	}
	return t.word, d.apply(cfg)
}

// configOf reads a file that describes a process, as the process sees it. It describes the process only if that user
// or root wrote it: what somebody else can write is somebody else's word.
func (s *Scan) configOf(p *process, file string) ([]byte, snapshot.Word, error) {
	b, st, err := s.readNamed(p, file)
	if err != nil {
		return nil, snapshot.Word{}, err
	}
	word := snapshot.Word{By: snapshot.ByContainer, Container: p.Container}
	if p.Container == "" && !s.separate(p) {
		word = snapshot.WordOf(st.UID)
		if author, at, err := s.Host.Author(file); err == nil && at.Dev == st.Dev && at.Ino == st.Ino {
			word = wordOf(author)
		}
		if !word.SpeaksFor(&p.Process) {
			return nil, word, fmt.Errorf("read %s: %s can write it, and the process is of uid %d", file, word, p.UID)
		}
	}
	return b, word, nil
}

// boundTo says in OpenClaw's words where the gateway listens: loopback, lan or custom; "" where its
// sockets could not be seen.
func (s *Scan) boundTo(p *process) string {
	if !s.Host.Live() || p.NS.Net != s.namespaces("thread-self").Net {
		return ""
	}
	bound, err := s.bindings()
	if err != nil {
		return ""
	}
	return map[int]string{boundLoopback: "loopback", boundCustom: "custom", boundWide: "lan"}[bound[p.PID]]
}

func (s *Scan) openClawPath(p *process, env map[string]string) string {
	if v := env["OPENCLAW_CONFIG_PATH"]; v != "" {
		return v
	}
	if v := env["OPENCLAW_STATE_DIR"]; v != "" {
		return path.Join(v, "openclaw.json")
	}
	if v := s.openClawState(p); v != "" {
		return path.Join(v, "openclaw.json")
	}
	home := env["OPENCLAW_HOME"]
	if home == "" {
		home = env["HOME"]
	}
	if home == "" {
		for _, u := range s.users() {
			if u.uid == p.UID {
				home = u.home
			}
		}
	}
	dir := ".openclaw"
	if v := cmp.Or(s.openClawProfile(p, env), env["OPENCLAW_PROFILE"]); v != "" && v != "default" {
		dir += "-" + path.Base(v)
	}
	return path.Join("/", home, dir, "openclaw.json")
}

// maxOpenFiles bounds the open files of a gateway that are looked at.
const maxOpenFiles = 512

// openClawState is the directory of a gateway's state by the data base that it has open: a profile that was named on its command line shows
// nowhere else after it has set its title.
func (s *Scan) openClawState(p *process) string {
	dir := fmt.Sprintf("/proc/%d/fd", p.PID)
	fds, err := s.Host.ReadDir(dir)
	if err != nil {
		return ""
	}
	for _, fd := range fds[:min(len(fds), maxOpenFiles)] {
		if at, err := s.Host.Readlink(path.Join(dir, fd)); err == nil && strings.HasSuffix(at, "/state/openclaw.sqlite") {
			return path.Dir(path.Dir(at))
		}
	}
	return ""
}

// maxPackageDirs bounds the directories of one process that a package.json is looked for in.
const maxPackageDirs = 16

// openClawVersion comes from package.json where the program runs from, from the environment of its service, which an update can leave as it was, or
// from package.json where it usually is.
func (s *Scan) openClawVersion(p *process, env map[string]string) snapshot.Fact {
	var dirs []string
	for _, a := range p.argv {
		for w := range strings.FieldsSeq(a) {
			if i := strings.LastIndex(w, "/node_modules/openclaw/"); i >= 0 {
				dirs = append(dirs, w[:i]+"/node_modules/openclaw")
			}
		}
	}
	// The title hides the path of the program; its maps and directory still name the package.
	dirs = append(dirs, s.mappedPackages(p, "openclaw")...)
	if cwd, err := s.Host.Readlink(fmt.Sprintf("/proc/%d/cwd", p.PID)); err == nil {
		dirs = append(dirs, cwd, path.Join(cwd, "node_modules/openclaw"))
	}
	if v := env["npm_package_json"]; v != "" {
		dirs = append(dirs, path.Dir(v))
	}
	dirs = slices.Compact(dirs)
	if v, ok := s.npmVersionIn(p, "openclaw", dirs[:min(len(dirs), maxPackageDirs)]); ok {
		return v
	}
	if v := env["OPENCLAW_SERVICE_VERSION"]; v != "" {
		return present("%s", v)
	}
	if v, ok := s.npmVersionIn(p, "openclaw", []string{"/app", "/usr/lib/node_modules/openclaw", "/usr/local/lib/node_modules/openclaw"}); ok {
		return v
	}
	return snapshot.Fact{State: snapshot.Error, Reason: "neither environment nor package.json names it"}
}

// openClawFile is what is read of openclaw.json. Newer files have agents.entries, older ones
// agents.list; older ones also wrote agent (singular) for the defaults.
type openClawFile struct {
	Gateway struct {
		Mode string `json:"mode"`
		Bind string `json:"bind"`
		Port int    `json:"port"`
		Auth struct {
			Mode     string `json:"mode"`
			Token    any    `json:"token"`
			Password any    `json:"password"`
		} `json:"auth"`
		Token     any `json:"token"`
		Tailscale struct {
			Mode string `json:"mode"`
		} `json:"tailscale"`
		TrustedProxies []any `json:"trustedProxies"`
		ControlUI      struct {
			AllowedOrigins []any `json:"allowedOrigins"`
		} `json:"controlUi"`
	} `json:"gateway"`
	Discovery struct {
		MDNS struct {
			Mode string `json:"mode"`
		} `json:"mdns"`
	} `json:"discovery"`
	Agents struct {
		Defaults openClawAgent            `json:"defaults"`
		Entries  map[string]openClawAgent `json:"entries"`
		List     []openClawAgent          `json:"list"`
	} `json:"agents"`
	Agent openClawAgent `json:"agent"`
	Tools openClawTools `json:"tools"`

	// What is kept of the parts above that can be of any size.
	secret, elevated, elevatedAny bool
	anyOrigin                     bool
	weak                          []string     // agents without a sandbox of their own, or past it
	agents                        bool         // agents are named
	proxies                       string       // a network of proxies
	exec                          openClawExec // of the agent without a sandbox that may run most
	words                         []string     // one that is a variable which is not known
}

// maxWeakAgents bounds the agents of one configuration that are named.
const maxWeakAgents = 100

// reduce keeps what is asked of a configuration, and lets go of what can be of any size.
func (f *openClawFile) reduce() {
	g := &f.Gateway
	f.secret = isSet(g.Auth.Token) || isSet(g.Auth.Password) || isSet(g.Token)
	g.Auth.Token, g.Auth.Password, g.Token = nil, nil, nil
	f.anyOrigin = slices.Contains(g.ControlUI.AllowedOrigins, any("*"))
	g.ControlUI.AllowedOrigins = nil
	f.proxies = proxyNetwork(g.TrustedProxies)
	g.TrustedProxies = nil
	f.freeTools()
}

// proxyNetwork is the first network of a list that is more than one address, or what is not an address.
func proxyNetwork(list []any) string {
	for _, v := range list {
		text, ok := v.(string)
		if !ok {
			return "a list that is not known"
		}
		if _, err := netip.ParseAddr(strings.TrimSpace(text)); err == nil {
			continue
		}
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			return "a network that is not known"
		}
		if p.Bits() < p.Addr().BitLen() {
			return p.String()
		}
	}
	return ""
}

type openClawAgent struct {
	ID      string `json:"id"`
	Sandbox struct {
		Mode string `json:"mode"`
	} `json:"sandbox"`
	Tools openClawTools `json:"tools"`
}

// maxNesting bounds how deep a configuration may be nested: the decoder calls itself for each level, and a stack that
// overflows ends the program.
const maxNesting = 64

// nesting is how deep JSON5 text is nested at most. It can say too much of a malformed text, never too little: brackets
// in strings and comments are not counted, which end where the decoder says that they end.
func nesting(b []byte) int {
	depth, most := 0, 0
	for i := 0; i < len(b); i++ {
		switch c := b[i]; c {
		case '{', '[':
			depth++
			most = max(most, depth)
		case '}', ']':
			depth--
		case '"', '\'':
			for i++; i < len(b) && b[i] != c; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '/':
			switch {
			case bytes.HasPrefix(b[i:], []byte("//")):
				n := bytes.IndexAny(b[i:], "\n\r")
				if n < 0 {
					return most
				}
				i += n
			case bytes.HasPrefix(b[i:], []byte("/*")):
				n := bytes.Index(b[i+2:], []byte("*/"))
				if n < 0 {
					return most
				}
				i += n + 3
			}
		}
	}
	return most
}

// decoded is a configuration that was decoded, or why it was not.
type decoded struct {
	file *openClawFile
	err  error
}

// applyOpenClaw is parseOpenClaw; a text that many gateways share is decoded once.
func (s *Scan) applyOpenClaw(b []byte, cfg *snapshot.OpenClawConfig) error {
	key := sha256.Sum256(b)
	d, ok := s.configs[key]
	if !ok {
		d.file, d.err = decodeOpenClaw(b)
		s.configs[key] = d
	}
	return d.apply(cfg)
}

func parseOpenClaw(b []byte, cfg *snapshot.OpenClawConfig) error {
	var d decoded
	d.file, d.err = decodeOpenClaw(b)
	return d.apply(cfg)
}

func decodeOpenClaw(b []byte) (*openClawFile, error) {
	v, err := decodeJSON5(b)
	if err != nil {
		return nil, err
	}
	return fileOf(v)
}

// apply adds to a configuration what its file says.
func (d *decoded) apply(cfg *snapshot.OpenClawConfig) error {
	if d.err != nil {
		return fmt.Errorf("%s: %w", cfg.Path, d.err)
	}
	f := d.file
	set := func(dst *string, v string) {
		if v != "" {
			*dst = v
		}
	}
	g := f.Gateway
	set(&cfg.Mode, g.Mode)
	if cfg.Bind == "" { // the sockets tell the truth where they could be seen
		set(&cfg.Bind, g.Bind)
	}
	if g.Port != 0 {
		cfg.Port = g.Port
	}
	set(&cfg.AuthMode, g.Auth.Mode)
	if g.Tailscale.Mode != "off" {
		cfg.Tailscale = g.Tailscale.Mode
	}
	cfg.SecretSet = f.secret
	set(&cfg.Sandbox, f.Agent.Sandbox.Mode)
	set(&cfg.Sandbox, f.Agents.Defaults.Sandbox.Mode)
	if cfg.Sandbox != "off" {
		cfg.WeakAgents = f.weak
	}
	if f.agents && len(f.weak) == 0 && cfg.Sandbox == "off" {
		cfg.Sandbox = "all" // each of them says so itself
	}
	for _, word := range f.words {
		cfg.Sandbox = "unknown"
		return fmt.Errorf("%s: what %s stands for is not known", cfg.Path, unresolved(word))
	}
	set(&cfg.ExecSecurity, f.exec.Security)
	set(&cfg.ExecAsk, f.exec.Ask)
	cfg.Elevated = f.elevated
	cfg.ElevatedAny = f.elevatedAny
	cfg.MDNS, cfg.AnyOrigin, cfg.ProxyNetwork = f.Discovery.MDNS.Mode, f.anyOrigin, f.proxies
	return nil
}

// isSet says whether a secret is given, as text or as a reference; its value is never kept.
func isSet(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return v != ""
	}
	return true
}
