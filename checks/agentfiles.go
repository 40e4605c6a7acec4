//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/snapshot"
)

// agentPaths are files and directories of agents in a home. Those with credentials or conversations are for their user alone; who writes one
// of them, secret or not, commands the agent.
var agentPaths = []struct {
	runtime, file string
	secret        bool
}{
	{"openclaw", ".openclaw/openclaw.json", true},
	{"openclaw", ".openclaw/.env", true},
	{"openclaw", ".openclaw/secrets.json", true},
	{"openclaw", ".openclaw/credentials", true},
	{"openclaw", ".openclaw/state/openclaw.sqlite", true},
	{"openclaw", ".openclaw/agents", true},
	{"claude-code", ".claude/.credentials.json", true},
	{"claude-code", ".claude/projects", true},
	{"claude-code", ".claude/settings.json", false},
	{"claude-code", ".claude.json", true},
	{"codex", ".codex/auth.json", true},
	{"codex", ".codex/sessions", true},
	{"codex", ".codex/config.toml", false},
	{"gemini-cli", ".gemini/oauth_creds.json", true},
	{"gemini-cli", ".gemini/.env", true},
	{"gemini-cli", ".gemini/settings.json", false},
	{"goose", ".config/goose/secrets.yaml", true},
	{"opencode", ".local/share/opencode/auth.json", true},
	{"hermes", ".hermes/.env", true},
	{"hermes", ".hermes/config.yaml", false},
	{"jupyter", ".local/share/jupyter/runtime", true},
	{"openshell", ".config/openshell/gateway.env", true},
}

// findAgentFiles adds the files of agents that others can read or write.
func (s *Scan) findAgentFiles(sec *snapshot.Agents) {
	read, w := present("homes"), s.newPermitWalker()
	users, more := s.homes()
	if more {
		read = snapshot.Fact{State: snapshot.Error, Reason: fmt.Sprintf("there are more than %d homes", maxHomes)}
	}
	for _, u := range users {
		for _, f := range agentPaths {
			file, err := patient(s, uidParty(u.uid), func() (*snapshot.AgentFile, error) { return s.openFile(w, &u, f.file, f.secret) })
			switch {
			case gone(err), errors.Is(err, unix.ENOTDIR):
			case err != nil:
				read = snapshot.Fact{State: snapshot.Error, Reason: fmt.Sprintf("files of agents of %s: %v", u.name, err)}
			case file == nil, slices.ContainsFunc(sec.Files, func(o snapshot.AgentFile) bool { return o.Path == file.Path && o.User == file.User }):
			case len(sec.Files) >= maxAgentFiles:
				read = snapshot.Fact{State: snapshot.Error, Reason: fmt.Sprintf("there are more than %d files of agents", maxAgentFiles)}
			default:
				file.Runtime = f.runtime
				sec.Files = append(sec.Files, *file)
			}
		}
	}
	sec.FilesRead = &read
}

// openFile says who besides its user can write a file below a home, or put another into its place, or read it if it is secret; nil where nobody
// can.
func (s *Scan) openFile(w *permitWalker, u *user, file string, secret bool) (*snapshot.AgentFile, error) {
	at := path.Join(u.home, file)
	list, real, exists, err := w.writers(at)
	if err != nil || !exists {
		return nil, err
	}
	st := w.part(real).st
	if !st.Mode.IsRegular() && !st.IsDir { // /dev/null
		return nil, nil
	}
	f := &snapshot.AgentFile{User: u.name, Secret: secret, Write: true}
	var may []snapshot.Permit
	for _, p := range list { // who can write a directory has to get into it
		got, err := w.passed([]snapshot.Permit{p}, w.directory(p.At))
		if err != nil {
			return nil, err
		}
		may = append(may, got...)
	}
	if s.openTo(w, u, may, f) || !secret {
		return named(f), nil
	}
	if may, err = w.throughReaders(at); err != nil {
		return nil, err
	}
	f.Write = false
	s.openTo(w, u, may, f)
	return named(f), nil
}

// named is a file of which it is known whom it is open to.
func named(f *snapshot.AgentFile) *snapshot.AgentFile {
	if f.To == "" {
		return nil
	}
	return f
}

// openTo notes the widest of those besides a user and root who can use a file, and where; false where there is none.
func (s *Scan) openTo(w *permitWalker, u *user, may []snapshot.Permit, f *snapshot.AgentFile) bool {
	rank := map[snapshot.PermitKind]int{snapshot.PermitAll: 3, snapshot.PermitGroup: 2, snapshot.PermitUser: 1}
	best := 0
	for _, p := range may {
		to := ""
		switch p.Who {
		case snapshot.PermitAll:
			to = "everybody"
		case snapshot.PermitGroup:
			if s.groupHasOthers(p.ID, u.uid) {
				to = "group " + s.groupName(p.ID)
			}
		default:
			if p.ID != u.uid && p.ID != 0 {
				to = "user " + cmp.Or(s.userName(p.ID), fmt.Sprint(p.ID))
			}
		}
		if to != "" && rank[p.Who] > best {
			best = rank[p.Who]
			f.To, f.Path, f.Mode = to, p.At, w.part(p.At).st.Perm
		}
	}
	return best > 0
}

// groupName is the name of a group, or its number.
func (s *Scan) groupName(gid int) string {
	for _, g := range s.groups() {
		if g.gid == gid {
			return g.name
		}
	}
	return fmt.Sprint(gid)
}
