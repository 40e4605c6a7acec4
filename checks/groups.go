//go:build linux && !ringfence_portable

package checks

import "bytes"

// Bounds of the supplementary groups that are kept: of one process, which can have 65,536 of them (NGROUPS_MAX), and of all
// processes of a party together.
const (
	maxGroupsOfProcess = 1024
	maxGroupsOfParty   = 128 << 10
)

// unreadGroups is among what was not read of a process that has more groups than are kept: that it lacks a group is not known.
const unreadGroups = "groups"

// parseGroups reads the line Groups of /proc/PID/status, and says whether there are more than are kept. It looks at no more of a
// long line than it keeps.
func parseGroups(line []byte) (groups []int, cut bool) {
	for len(groups) < maxGroupsOfProcess {
		line = bytes.TrimLeft(line, " \t")
		n := 0
		for n < len(line) && line[n] > ' ' {
			n++
		}
		if n == 0 {
			return groups, false
		}
		groups = append(groups, atoi(string(line[:n])))
		line = line[n:]
	}
	return groups, len(bytes.TrimSpace(line[:min(len(line), 16)])) > 0
}

// shareGroups lets each party keep as many groups as all others: what the processes of one have beyond that is left out.
func (s *Scan) shareGroups(procs []*process) {
	kept := newShares(maxGroupsOfParty)
	for _, p := range procs {
		n := kept.take(s.party(p), len(p.Groups))
		if n == len(p.Groups) {
			continue
		}
		p.Groups = p.Groups[:n:n]
		if !p.lacksGroups() {
			p.Unread = append(p.Unread, unreadGroups)
		}
	}
}
