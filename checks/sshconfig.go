//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/sshd"
)

// sshConfig reads the effective configuration for all connections that its Match blocks tell apart. sshd itself is asked first: only
// it knows what its version and its build make of the files. It is only asked about the host's own server and about files that
// root alone writes, since it opens whatever they name.
func (s *Scan) sshConfig(ctx context.Context, p *process, k configKey, options []string, itself bool) (snapshot.SSHConfig, *sshReader, error) {
	cfg := snapshot.SSHConfig{Path: k.path, Source: "files", Mntns: k.mntns, Server: k.word, Options: keptOptions(options)}
	r := s.sshReader(p, k)
	files := new(sshd.File)
	var err error
	if k.path != "none" { // sshd(8), -f
		files, err = sshd.Parse(k.path, sshd.Source{Read: r.read, Glob: r.glob})
	}
	if err != nil {
		return cfg, r, err
	}
	if r.cut {
		return cfg, r, errUnlisted
	}
	cfg.Word, cfg.DropIns = r.word, files.DropIns
	if cfg.DropIns {
		cfg.Earlier = files.Earlier
	}
	if p != nil {
		cfg.Container = p.Container
	}
	accounts := loginFiles(r.lookup)
	most := sshd.MaxQuestions
	if !k.word.Trusted() || !r.word.Trusted() {
		most = sshd.MaxQuestionsOfUser
	}
	given, asked := sshd.OptionSettings(options), r.own && r.word.Trusted()
	var global map[string][]string
	if asked {
		if global, cfg.Source = s.askSSHD(ctx, k.path, options, ""); global == nil {
			asked = false
		}
	}
	if !asked {
		global, cfg.Source = files.Global(given, sshd.Defaults()), "files"
	}
	groups, whole := files.Groups(files.Principals(accounts.users), sshd.EndsOf(global, itself), most)
	if !whole {
		return cfg, r, fmt.Errorf("%s: its Match blocks tell more connections apart than are thought through", k.path)
	}
	for _, g := range groups {
		var settings map[string][]string
		if asked && len(g.Blocks) > 0 && g.Conn.User.Real {
			settings, _ = s.askSSHD(ctx, k.path, options, g.Conn.Spec())
		}
		if settings == nil {
			settings = files.Over(g.Conn, global)
		}
		if r.own {
			r.notePlaces(g.Users, settings)
		}
		cfg.Contexts = append(cfg.Contexts, snapshot.SSHContext{
			Match: files.Label(g.Blocks), Settings: sshd.Kept(settings), Matched: files.Matched(g.Conn), Logins: accounts.logins(g, settings),
		})
	}
	slices.SortStableFunc(cfg.Contexts, func(a, b snapshot.SSHContext) int { return len(a.Match) - len(b.Match) })
	return cfg, r, nil
}

// sshReader reads the files of one configuration as its server sees them, and notes whose word they are.
type sshReader struct {
	read   func(string) ([]byte, error)
	lookup func(string) ([]byte, error) // files beside the configuration
	glob   func(string) []string
	stat   func(string) (host.Stat, error)
	paths  []string // files of the configuration, and directories whose names it lists
	own    bool     // they are the host's own files, read by the host's own server
	word   snapshot.Word
	cut    bool // not every file that it includes could be listed

	// places are the files that it names by which somebody logs in, of the host's own.
	places     []keyPlace
	morePlaces bool
}

// maxSSHFiles bounds the files of one configuration.
const maxSSHFiles = 1000

var errUnlisted = errors.New("not every file that the configuration includes could be listed")

var errTooManyFiles = errors.New("more than 1,000 files in one configuration")

func (s *Scan) sshReader(p *process, k configKey) *sshReader {
	r := &sshReader{word: k.word}
	n := 0
	if k.word.By == snapshot.ByRoot && (p == nil || k.mntns == s.initNS().Mnt) {
		r.own = true
		r.read = func(f string) ([]byte, error) {
			if n++; n > maxSSHFiles {
				return nil, errTooManyFiles
			}
			r.paths = append(r.paths, f)
			if s.Host.Live() {
				author, _, err := s.Host.Author(f)
				if err != nil {
					return nil, err
				}
				r.word = lesser(wordOf(author), r.word)
			}
			return s.Host.ReadFile(f)
		}
		r.glob = func(pattern string) []string {
			r.paths = append(r.paths, filepath.Dir(pattern))
			list, more := s.Host.Glob(pattern)
			r.cut = r.cut || more
			return list
		}
		r.lookup, r.stat = s.Host.ReadFile, s.Host.Stat
		return r
	}
	r.read = func(f string) ([]byte, error) {
		if n++; n > maxSSHFiles {
			return nil, errTooManyFiles
		}
		r.paths = append(r.paths, f)
		b, _, err := s.readNamed(p, f)
		return b, err
	}
	r.lookup = func(f string) ([]byte, error) {
		b, _, err := s.readNamed(p, f)
		return b, err
	}
	r.stat = func(f string) (host.Stat, error) { return s.statIn(p, f) }
	r.glob = func(pattern string) []string {
		r.paths = append(r.paths, filepath.Dir(pattern))
		list, more := s.globIn(p, pattern)
		r.cut = r.cut || more
		return list
	}
	return r
}

// askSSHD runs the installed sshd with -G (OpenSSH 9.3, parse only) or -T on the live host. Both
// print the effective values under the connection that -C describes.
func (s *Scan) askSSHD(ctx context.Context, path string, options []string, spec string) (map[string][]string, string) {
	if !s.Host.Live() {
		return nil, ""
	}
	sshd, err := s.Host.ExecutablePath("sshd")
	if err != nil {
		return nil, ""
	}
	for _, mode := range []string{"-G", "-T"} {
		args := []string{mode, "-f", path}
		for _, o := range options {
			args = append(args, "-o", o)
		}
		if spec != "" {
			args = append(args, "-C", spec)
		}
		cmd := host.Command(ctx, sshd, args...)
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
