//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// administering are the groups whose members become root, as distributions have them.
var administering = []string{"sudo", "wheel", "admin"}

// sudoRule is a rule of sudoers(5) by which somebody runs every command as root: USER HOST = (RUNAS) TAG: ALL.
var sudoRule = regexp.MustCompile(`^(\S+)\s+\S+\s*=\s*(?:\((?:ALL|root)(?:\s*:\s*\w+)?\)\s*)?(?:[A-Z_]+:\s*)*ALL\s*$`)

// sudoers are the names and, with a % before them, the groups that files of sudo let become root. What an alias, a netgroup or a rule for
// everybody says is not looked at.
func (s *Scan) sudoers() (list []string) {
	files := []string{"/etc/sudoers"}
	if names, err := s.Host.ReadDir("/etc/sudoers.d"); err == nil {
		for _, n := range names {
			if !strings.Contains(n, ".") && !strings.HasSuffix(n, "~") { // as sudo does (sudoers(5), @includedir)
				files = append(files, path.Join("/etc/sudoers.d", n))
			}
		}
	}
	for _, file := range files {
		b, err := s.Host.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if m := sudoRule.FindStringSubmatch(strings.TrimSpace(line)); m != nil && m[1] != "ALL" {
				list = append(list, m[1])
			}
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
