//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// repository adds the settings and the hooks of the repository in which git(1) runs: that of a directory or of one above it.
func (l *levers) repository(dir string, lever snapshot.LeverFile) {
	tree, git := l.repositoryOf(dir)
	if git == "" {
		return
	}
	if x := l.w.part(git); x.st.UID != lever.UID && lever.Unsure == "" {
		lever.Unsure = "git runs nothing in a repository of another user but where safe.directory has it, which was not followed"
	}
	if text, ok := l.rootText(path.Join(git, "commondir")); ok { // of another working tree
		l.add(snapshot.LeverFile{Path: path.Join(git, "commondir"), Kind: lever.Kind, By: lever.By, UID: lever.UID, Trigger: lever.Trigger, Unsure: lever.Unsure})
		if git = below(git, strings.TrimSpace(text)); git == "" {
			return
		}
	}
	lever.By = "git in " + tree + " for " + lever.By
	for _, n := range []string{"config", "config.worktree"} {
		if lever.Path = path.Join(git, n); n == "config" || l.w.part(lever.Path).err == nil {
			l.add(lever)
		}
	}
	hooks := lever
	l.tree(path.Join(git, "hooks"), hooks)
	text, ok := l.rootText(path.Join(git, "config"))
	for line := range strings.Lines(text) {
		key, value, is := strings.Cut(strings.TrimSpace(line), "=")
		if value = strings.Trim(strings.TrimSpace(value), `"`); !ok || !is {
			continue
		}
		if p := below(tree, value); strings.EqualFold(strings.TrimSpace(key), "hooksPath") && p != "" {
			l.tree(p, lever)
		} else {
			l.mentioned(pathsIn(value), "what git does by what is there was not followed", lever)
		}
	}
	l.project(git, "git", lever, maxProjectDepth-2)
}

// repositoryOf is where the files of a repository are, and its own directory; "" if there is none.
func (l *levers) repositoryOf(dir string) (tree, git string) {
	for ; ; dir = path.Dir(dir) {
		at := path.Join(dir, ".git")
		switch x := l.w.part(at); {
		case x.err == nil && x.st.IsDir, x.err == nil && x.link != "":
			return dir, at
		case x.err == nil && x.st.Mode.IsRegular(): // a file names it (gitrepository-layout(5))
			text, _ := l.rootText(at)
			if to, ok := strings.CutPrefix(strings.TrimSpace(text), "gitdir:"); ok {
				return dir, below(dir, strings.TrimSpace(to))
			}
			return dir, at
		case l.w.part(path.Join(dir, "HEAD")).err == nil && l.w.part(path.Join(dir, "objects")).st.IsDir: // without files
			return dir, dir
		}
		if dir == "/" {
			return "", ""
		}
	}
}
