//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// rotatedLogs are the logs that settings of logrotate are about, as far as they are read, and as whom it rotates them: those of all and of the block.
type rotatedLogs struct {
	dirs      []string
	all, here []string // the words after su
	block     bool
}

// rotates takes a line of settings of logrotate that is of no script, and adds the directories of logs where a block ends.
func (l *levers) rotates(r *rotatedLogs, line string) {
	line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
	words := quotedWords(strings.NewReplacer("{", " { ", "}", " } ").Replace(line))
	for i, w := range words {
		switch {
		case w == "{":
			r.block, r.here = true, r.all
		case w == "}":
			for _, dir := range r.dirs {
				l.rotatedIn(dir, r.here)
			}
			r.block, r.dirs = false, nil
		case path.IsAbs(w) && (!r.block || words[0] == "olddir") && words[0] != "include":
			if j := strings.IndexAny(w, "*?["); j >= 0 {
				w = w[:j] + "x"
			}
			if words[0] != "olddir" {
				w = path.Dir(w)
			}
			r.dirs = append(r.dirs, path.Clean(w))
		case i == 0 && w == "su" && r.block:
			r.here = words[1:]
		case i == 0 && w == "su":
			r.all = words[1:]
		}
	}
}

// rotatedIn adds a directory in which logrotate renames and makes files: who puts a link into its place meanwhile has it do so elsewhere. One that a group or
// everybody may write it passes by, unless su says as whom it is done (logrotate(8)).
func (l *levers) rotatedIn(dir string, su []string) {
	f := snapshot.LeverFile{
		Path: dir, Kind: snapshot.LeverSystem, By: "logrotate", Trigger: snapshot.TriggerTimer,
		Unsure: "whether logrotate, which renames and makes files in " + dir + ", can be led elsewhere meanwhile was not followed",
	}
	if len(su) > 0 {
		if f.UID = l.s.uidOf(su[0]); f.UID < 0 {
			return // it does nothing
		}
	}
	_, real, exists, err := l.w.writers(dir)
	if err == nil && !exists {
		return
	}
	before := len(l.list)
	l.add(f)
	x := l.w.part(real)
	if err != nil || len(su) > 0 || len(l.list) == before || x.st.Perm&0o002 == 0 && (x.st.Perm&0o020 == 0 || x.st.GID == 0) {
		return
	}
	last := &l.list[len(l.list)-1]
	last.Permits = slices.DeleteFunc(last.Permits, func(p snapshot.Permit) bool {
		return p.At == real && p != (snapshot.Permit{Who: snapshot.PermitUser, ID: x.st.UID, At: real})
	})
	if len(last.Permits) == 0 && last.Unread == "" {
		l.list = l.list[:before]
	}
}
