//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/ringfence/ringfence/host"
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
	read := present("homes")
	users, more := s.homes()
	if more {
		read = snapshot.Fact{State: snapshot.Error, Reason: fmt.Sprintf("there are more than %d homes", maxHomes)}
	}
	for _, u := range users {
		for _, f := range agentPaths {
			file, err := patient(s, uidParty(u.uid), func() (*snapshot.AgentFile, error) { return s.openFile(&u, f.file, f.secret) })
			switch {
			case gone(err), errors.Is(err, errLink):
			case err != nil:
				read = toFact("", fmt.Errorf("files of agents of %s: %w", u.name, err))
			case file != nil && len(sec.Files) < maxAgentFiles:
				file.Runtime = f.runtime
				sec.Files = append(sec.Files, *file)
			}
		}
	}
	sec.FilesRead = &read
}

// errLink is of a file on whose way there is a link: who can follow it hangs on where it leads.
var errLink = errors.New("there is a link on the way")

// openFile says who besides its user can read or write a file below a home; nil where nobody can.
func (s *Scan) openFile(u *user, file string, secret bool) (*snapshot.AgentFile, error) {
	others, group := true, true // can come as far as this
	at := ""
	for part := range strings.SplitSeq(strings.Trim(path.Join(u.home, file), "/"), "/") {
		if at != "" {
			st, err := s.Host.Lstat(at)
			switch {
			case err != nil:
				return nil, err
			case st.Mode.Type() == fs.ModeSymlink:
				return nil, errLink
			}
			others = others && st.Perm&0o001 != 0
			group = group && (st.Perm&0o001 != 0 || st.Perm&0o010 != 0 && s.groupHasOthers(st.GID, u.uid))
		}
		at += "/" + part
	}
	st, err := s.Host.Lstat(at)
	switch {
	case err != nil:
		return nil, err
	case st.Mode.Type() == fs.ModeSymlink:
		return nil, errLink
	}
	f := &snapshot.AgentFile{User: u.name, Path: at, Mode: st.Perm, Secret: secret}
	f.To, f.Write = openTo(&st, others, group && s.groupHasOthers(st.GID, u.uid), secret)
	if f.To == "" {
		return nil, nil
	}
	if f.To == "group" {
		f.To = "group " + s.groupName(st.GID)
	}
	return f, nil
}

// openTo is who can use a file that others, or a group, can come to: what can be written first, then what is secret and can be read.
func openTo(st *host.Stat, others, group, secret bool) (to string, write bool) {
	w, r := uint32(0o2), uint32(0o4)
	if st.IsDir {
		w, r = 0o3, 0o5
	}
	has := func(bits, shift uint32) bool { return st.Perm>>shift&bits == bits }
	switch {
	case others && has(w, 0) && st.Perm&0o1000 == 0:
		return "everybody", true
	case group && has(w, 3) && st.Perm&0o1000 == 0:
		return "group", true
	case secret && others && has(r, 0):
		return "everybody", false
	case secret && group && has(r, 3):
		return "group", false
	}
	return "", false
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
