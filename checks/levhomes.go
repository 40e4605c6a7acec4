//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// loginScript adds what a file that a shell reads at a login runs.
func (l *levers) loginScript(f snapshot.LeverFile) {
	if f.By != "somebody" {
		f.By = "the login of " + f.By
	} else {
		f.By = "every login"
	}
	f.Kind = snapshot.LeverProgram
	l.followAs(f, runsHere{dir: l.s.accountHome(f.UID)}, true)
}

// loginFilesOf are what the shells and the SSH server read of who logs in, below their home.
var loginFilesOf = []string{
	".ssh/authorized_keys", ".ssh/authorized_keys2", ".ssh/rc", ".ssh/environment", ".profile", ".bash_profile", ".bash_login", ".bashrc",
	".bash_logout", ".zshenv", ".zprofile", ".zshrc", ".pam_environment", ".config/fish/config.fish", ".config/systemd/user", ".local/share/systemd/user",
	".config/environment.d", ".config/autostart",
}

// loginScripts are those of them that a shell runs.
var loginScripts = lazily(`^\.(?:ssh/rc|profile|bash_|bashrc|zsh|zprofile)`)

// toolFilesOf are what programs read that somebody runs: settings by which they run others.
var toolFilesOf = []string{".ssh/config", ".gitconfig", ".config/git/config", ".vimrc", ".exrc", ".npmrc", ".nanorc", ".tmux.conf", ".screenrc", ".gdbinit", ".local/bin", "bin"}

// logins adds what others write of somebody who logs in.
func (l *levers) logins() {
	for _, u := range l.s.users() {
		if loginShell(u.shell) && path.IsAbs(u.shell) {
			l.add(snapshot.LeverFile{Path: path.Clean(u.shell), Kind: snapshot.LeverProgram, By: "the login of " + u.name, UID: u.uid, Trigger: snapshot.TriggerLogin})
		}
		if !path.IsAbs(u.home) || u.home == "/" || !loginShell(u.shell) {
			continue
		}
		for _, n := range loginFilesOf {
			trigger, unsure := snapshot.TriggerLogin, ""
			if strings.HasPrefix(n, ".ssh/authorized_keys") { // who writes it logs in
				trigger, unsure = snapshot.TriggerNone, l.strictSSH
			}
			f := snapshot.LeverFile{Path: path.Join(u.home, n), Kind: snapshot.LeverLogin, By: u.name, UID: u.uid, Trigger: trigger, Unsure: unsure}
			if l.add(f); loginScripts.MatchString(n) {
				l.loginScript(f)
			}
		}
		for _, n := range toolFilesOf {
			l.add(snapshot.LeverFile{Path: path.Join(u.home, n), Kind: snapshot.LeverSystem, By: "programs of " + u.name, UID: u.uid, Trigger: snapshot.TriggerOperator})
		}
		l.ownSettings(u)
	}
}

// maxOwnSettings bounds the settings of one home that are looked at.
const maxOwnSettings = 400

// ownSettings adds what others write of the settings that programs of somebody read: hidden files and directories of their home, those in .config, and those of
// agents, which name servers of MCP and hooks that they run.
func (l *levers) ownSettings(u user) {
	as := snapshot.LeverFile{Kind: snapshot.LeverSystem, By: "programs of " + u.name, UID: u.uid, Trigger: snapshot.TriggerOperator}
	left := maxOwnSettings
	for _, dir := range []string{"", ".config", ".claude", ".codex", ".cursor", ".gemini", ".openclaw", ".copilot", ".vscode", ".kube", ".aws", ".docker", ".cargo", ".local", ".local/lib", ".local/share"} {
		at := path.Join(u.home, dir)
		for _, n := range l.namesIn(at, host.MaxNames, "settings") {
			if dir == "" && n[0] != '.' {
				continue
			}
			if left--; left < 0 {
				l.out.partialIn("files", "%s has more settings than are looked at", u.home)
				return
			}
			if as.Path = path.Join(at, n); l.listedOf(as.Path, u.uid) {
				continue
			}
			if x := l.w.part(as.Path); x.err == nil && (x.st.IsDir || x.st.Mode.IsRegular() || x.link != "") {
				f := as
				f.Unsure = "what programs of " + u.name + " do by " + as.Path + " was not followed"
				l.add(f)
			}
		}
	}
}

// listedOf says of a file of somebody that it is known what they do by it.
func (l *levers) listedOf(p string, uid int) bool {
	return slices.ContainsFunc(l.list, func(f snapshot.LeverFile) bool { return f.Path == p && f.UID == uid && f.Unsure == "" })
}
