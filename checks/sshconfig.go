//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// matchBlock is one Match block of sshd_config(5).
type matchBlock struct {
	criteria string // as written, without "Match"
	settings map[string][]string
}

// sshdFile is what the files of one configuration say.
type sshdFile struct {
	global map[string][]string
	blocks []matchBlock
	files  int // that were read
	size   int // of them all
	// dropIns says that the folder for files of others is included, for every connection.
	dropIns bool
}

// judgedDefaults are sshd's compiled-in values of the settings that the checks read
// (servconf.c, fill_default_server_options); they hold where no file sets them.
var judgedDefaults = map[string]string{
	"permitrootlogin": "prohibit-password", "passwordauthentication": "yes",
	"kbdinteractiveauthentication": "yes", "permitemptypasswords": "no",
	"pubkeyauthentication": "yes", "usepam": "no",
}

// sshConfig reads the effective configuration in every context. sshd itself is asked first: only
// it knows what its version and its build make of the files. It is only asked about the host's own server and about files that
// root alone writes, since it opens whatever they name.
func (s *Scan) sshConfig(ctx context.Context, p *process, k configKey) (snapshot.SSHConfig, error) {
	cfg := snapshot.SSHConfig{Path: k.path, Source: "files", Mntns: k.mntns, Server: k.word}
	r := s.sshReader(p, k)
	files, err := parseSSHD(k.path, r.read, r.glob)
	if err != nil {
		return cfg, err
	}
	if r.cut {
		return cfg, errUnlisted
	}
	cfg.Word, cfg.DropIns = r.word, files.dropIns
	if p != nil {
		cfg.Container = p.Container
	}
	contexts := append([]matchBlock{{}}, files.blocks...)
	for _, c := range contexts {
		var settings map[string][]string
		source := ""
		if r.own && r.word.Trusted() {
			settings, source = s.askSSHD(ctx, k.path, c.criteria)
		}
		if settings == nil {
			settings, source = files.effective(c), "files"
		}
		if c.criteria == "" {
			cfg.Source = source
		}
		cfg.Contexts = append(cfg.Contexts, snapshot.SSHContext{
			Match: c.criteria, Settings: judged(settings),
		})
	}
	return cfg, nil
}

// sshReader reads the files of one configuration as its server sees them, and notes whose word they are.
type sshReader struct {
	read func(string) ([]byte, error)
	glob func(string) []string
	own  bool // they are the host's own files, read by the host's own server
	word snapshot.Word
	cut  bool // not every file that it includes could be listed
}

// maxSSHFiles bounds the files of one configuration.
const maxSSHFiles = 1000

var errUnlisted = errors.New("not every file that the configuration includes could be listed")

var errTooManyFiles = errors.New("more than 1,000 files in one configuration")

func (s *Scan) sshReader(p *process, k configKey) *sshReader {
	r := &sshReader{word: k.word}
	host := s.initNS()
	n := 0
	if k.word.By == snapshot.ByRoot && (p == nil || k.mntns == host.Mnt) {
		r.own = true
		r.read = func(f string) ([]byte, error) {
			if n++; n > maxSSHFiles {
				return nil, errTooManyFiles
			}
			if s.Host.Live() {
				author, _, err := s.Host.Author(f)
				if err != nil {
					return nil, err
				}
				r.word = lesser(wordOf(author), r.word)
			}
			return s.Host.ReadFile(f)
		}
		r.glob = func(pattern string) []string { list, more := s.Host.Glob(pattern); r.cut = r.cut || more; return list }
		return r
	}
	r.read = func(f string) ([]byte, error) {
		if n++; n > maxSSHFiles {
			return nil, errTooManyFiles
		}
		b, _, err := s.readNamed(p, f)
		return b, err
	}
	r.glob = func(pattern string) []string {
		list, more := s.Host.GlobIn(p.PID, pattern)
		r.cut = r.cut || more
		return list
	}
	return r
}

// judged keeps the settings that can be judged; the rest of sshd's hundred are noise in a snapshot.
func judged(all map[string][]string) map[string][]string {
	keep := map[string][]string{}
	for _, k := range []string{
		"permitrootlogin", "passwordauthentication", "kbdinteractiveauthentication",
		"permitemptypasswords", "pubkeyauthentication", "usepam", "listenaddress", "port",
		"allowusers", "allowgroups", "denyusers", "denygroups", "authenticationmethods",
		"authorizedkeysfile", "gatewayports", "allowtcpforwarding", "maxauthtries",
	} {
		if v, ok := all[k]; ok {
			keep[k] = v
		}
	}
	return keep
}

// askSSHD runs the installed sshd with -G (OpenSSH 9.3, parse only) or -T on the live host. Both
// print the effective values under the connection that -C describes.
func (s *Scan) askSSHD(ctx context.Context, path, criteria string) (map[string][]string, string) {
	if !s.Host.Live() {
		return nil, ""
	}
	sshd, err := s.Host.ExecutablePath("sshd")
	if err != nil {
		return nil, ""
	}
	spec, ok := s.connection(criteria)
	if !ok {
		return nil, ""
	}
	for _, mode := range []string{"-G", "-T"} {
		cmd := host.Command(ctx, sshd, mode, "-f", path, "-C", spec)
		var out bytes.Buffer
		cmd.Stdout = &out
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin", "LC_ALL=C"}
		if err := host.Run(cmd); err != nil {
			continue
		}
		settings := map[string][]string{}
		for line := range strings.Lines(out.String()) {
			if k, v, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
				settings[k] = append(settings[k], v)
			}
		}
		if len(settings) > 10 {
			return settings, "sshd " + mode
		}
	}
	return nil, ""
}

// connection describes a connection that satisfies the criteria of a Match block, in the form of
// sshd's -C. It is not found for negated or empty groups; then the files are read instead.
func (s *Scan) connection(criteria string) (string, bool) {
	spec := map[string]string{
		"user": "ringfence-nobody", "host": "unknown.invalid", "addr": "192.0.2.1",
		"laddr": "192.0.2.2", "lport": "22",
	}
	words := strings.Fields(criteria)
	for i := 0; i < len(words); i++ {
		key := strings.ToLower(words[i])
		if key == "all" {
			continue
		}
		if i+1 >= len(words) {
			return "", false
		}
		i++
		value := exampleOf(words[i])
		if value == "" {
			return "", false
		}
		switch key {
		case "user":
			spec["user"] = value
		case "group":
			member := ""
			for _, g := range s.groups() {
				if g.name == value && len(g.members) > 0 {
					member = g.members[0]
				}
			}
			if member == "" {
				return "", false
			}
			spec["user"] = member
		case "host":
			spec["host"] = value
		case "address":
			spec["addr"] = value
		case "localaddress":
			spec["laddr"] = value
		case "localport":
			spec["lport"] = value
		default:
			return "", false
		}
	}
	var parts []string
	for _, k := range []string{"user", "host", "addr", "laddr", "lport"} {
		parts = append(parts, k+"="+spec[k])
	}
	return strings.Join(parts, ","), true
}

// exampleOf gives a value that the first positive pattern of a list matches.
func exampleOf(list string) string {
	for p := range strings.SplitSeq(strings.Trim(list, `"`), ",") {
		if p == "" || strings.HasPrefix(p, "!") {
			continue
		}
		if prefix, err := netip.ParsePrefix(p); err == nil {
			addr := prefix.Masked().Addr()
			if !prefix.IsSingleIP() {
				addr = addr.Next()
			}
			return addr.String()
		}
		return strings.NewReplacer("*", "x", "?", "x").Replace(p)
	}
	return ""
}

// Bounds of one configuration: contexts, and files and bytes that are read for it. Who may write one can include each file
// many times in the one above it.
const (
	maxMatchBlocks = 256
	maxSSHDFiles   = 1024
	maxSSHDSize    = 16 << 20
)

// parseSSHD reads the files as sshd_config(5) says: the first value of a keyword holds, a Match
// block reaches to the next one or the end of its file, Include is expanded in place.
func parseSSHD(path string, read func(string) ([]byte, error), glob func(string) []string) (*sshdFile, error) {
	f := &sshdFile{global: map[string][]string{}}
	return f, f.parse(path, read, glob, nil, 0)
}

func (f *sshdFile) parse(path string, read func(string) ([]byte, error), glob func(string) []string,
	in *matchBlock, depth int,
) error {
	if depth > 16 {
		return fmt.Errorf("%s: included more than 16 levels deep", path)
	}
	b, err := read(path)
	if err != nil {
		return err
	}
	if f.files, f.size = f.files+1, f.size+len(b); f.files > maxSSHDFiles || f.size > maxSSHDSize {
		return fmt.Errorf("%s: included in more than %d files or %d MiB", path, maxSSHDFiles, maxSSHDSize>>20)
	}
	block := -1 // index of the Match block that this file is in
	current := func() map[string][]string {
		switch {
		case block >= 0:
			return f.blocks[block].settings
		case in != nil:
			return in.settings
		}
		return f.global
	}
	for line := range bytes.Lines(b) {
		key, value := splitDirective(string(line))
		switch key {
		case "":
		case "match":
			if len(f.blocks) >= maxMatchBlocks {
				return fmt.Errorf("%s: more than %d Match blocks", path, maxMatchBlocks)
			}
			f.blocks = append(f.blocks, matchBlock{value, map[string][]string{}})
			block = len(f.blocks) - 1
		case "include":
			var outer *matchBlock
			if m := current(); block >= 0 || in != nil {
				outer = &matchBlock{settings: m}
			}
			for pat := range strings.FieldsSeq(value) {
				if !filepath.IsAbs(pat) {
					pat = filepath.Join("/etc/ssh", pat)
				}
				f.dropIns = f.dropIns || outer == nil && pat == "/etc/ssh/sshd_config.d/*.conf"
				for _, inc := range glob(pat) {
					if err := f.parse(inc, read, glob, outer, depth+1); err != nil {
						return err
					}
				}
			}
		default:
			m := current()
			if _, set := m[key]; !set || listKeyword(key) {
				m[key] = append(m[key], value)
			}
		}
	}
	return nil
}

func listKeyword(key string) bool {
	return slices.Contains([]string{
		"port", "listenaddress", "hostkey", "allowusers", "allowgroups", "denyusers", "denygroups",
	}, key)
}

// splitDirective separates keyword and arguments; both "Key value" and "Key=value" are allowed.
func splitDirective(line string) (key, value string) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return "", ""
	}
	i := strings.IndexAny(line, " \t=")
	if i < 0 {
		return strings.ToLower(line), ""
	}
	key = strings.ToLower(line[:i])
	value = strings.Trim(strings.TrimLeft(line[i:], " \t="), `"`)
	if key == "challengeresponseauthentication" || key == "skeyauthentication" {
		key = "kbdinteractiveauthentication"
	}
	if key == "match" {
		return key, value
	}
	return key, strings.ToLower(value)
}

// effective is the settings inside a block: its own over the global ones over the defaults.
func (f *sshdFile) effective(b matchBlock) map[string][]string {
	m := map[string][]string{}
	for k, v := range judgedDefaults {
		m[k] = []string{v}
	}
	maps.Copy(m, f.global)
	maps.Copy(m, b.settings)
	return m
}
