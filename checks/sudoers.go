//go:build linux && !ringfence_portable

package checks

import (
	"slices"

	"github.com/ringfence/ringfence/snapshot"
)

// administering are the groups whose members become root, as distributions have them.
var administering = []string{"sudo", "wheel", "admin"}

// sudoers are the names and, with a % before them, the groups that rules of sudo let run every command as root. A rule for everybody, one that takes
// commands away and one that is not followed as a whole count for nobody.
func sudoers(rules []snapshot.SudoRule) (list []string) {
	for i := range rules {
		r := &rules[i]
		root := len(r.As) == 0 || slices.ContainsFunc(r.As, func(as string) bool { return as == "ALL" || as == "root" || as == "#0" })
		if r.Partly == "" && root && len(r.Commands) == 1 && r.Commands[0] == (snapshot.SudoCommand{Text: "ALL"}) && !slices.ContainsFunc(r.Users, func(u string) bool { return u == "ALL" || u[:min(1, len(u))] == "!" }) {
			list = append(list, r.Users...)
		}
	}
	return list
}

// administrator says of an account that it is root, or is seen to become root: by its groups, or by rules of sudo.
func administrator(u user, groups, sudoers []string) bool {
	return u.uid == 0 || slices.Contains(sudoers, u.name) || slices.ContainsFunc(groups, func(g string) bool {
		return slices.Contains(administering, g) || slices.Contains(sudoers, "%"+g)
	})
}
