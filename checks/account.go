//go:build linux && !ringfence_portable

package checks

import (
	"slices"
	"strings"
)

// user is an account of the host.
type user struct {
	name, home, shell string
	uid, gid          int
}

// group is a group of the host with all of its members, those whose primary group it is among them.
type group struct {
	name    string
	gid     int
	members []string
}

// accounts is what /etc/passwd and /etc/group say, read once in a scan.
type accounts struct {
	users  []user
	groups []group
	uids   map[string][]int // by user name
	known  map[int]bool     // uids of accounts
	// subuids are the ranges of /etc/subuid.
	subuids []subuids
}

// readAccounts reads the accounts of the host; other sources of them (LDAP, sssd) are not asked.
func (s *Scan) readAccounts() *accounts {
	s.accountsOnce.Do(func() {
		a := &s.accounts
		a.users, a.uids, a.known = s.readUsers(), map[string][]int{}, map[int]bool{}
		primary := map[int][]string{}
		for _, u := range a.users {
			a.uids[u.name] = append(a.uids[u.name], u.uid)
			a.known[u.uid] = true
			primary[u.gid] = append(primary[u.gid], u.name)
		}
		a.groups = s.readGroupFile(primary)
		a.subuids = s.readSubuids(a.uids)
	})
	return &s.accounts
}

// users lists the accounts in the order of /etc/passwd. Callers do not change the list.
func (s *Scan) users() []user { return s.readAccounts().users }

// groups lists the groups in the order of /etc/group. Callers do not change the list.
func (s *Scan) groups() []group { return s.readAccounts().groups }

func (s *Scan) readUsers() []user {
	b, err := s.Host.ReadFile("/etc/passwd")
	if err != nil {
		return nil
	}
	var us []user
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) >= 6 {
			us = append(us, user{name: f[0], home: f[5], shell: strings.Join(f[6:], ":"), uid: atoi(f[2]), gid: atoi(f[3])})
		}
	}
	return us
}

// readGroupFile reads /etc/group and adds the users whose primary group each is.
func (s *Scan) readGroupFile(primary map[int][]string) []group {
	b, err := s.Host.ReadFile("/etc/group")
	if err != nil {
		return nil
	}
	var gs []group
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 4 {
			continue
		}
		g := group{name: f[0], gid: atoi(f[2])}
		for m := range strings.SplitSeq(f[3], ",") {
			if m != "" {
				g.members = append(g.members, m)
			}
		}
		g.members = append(g.members, primary[g.gid]...)
		slices.Sort(g.members)
		g.members = slices.Compact(g.members)
		gs = append(gs, g)
	}
	return gs
}

// groupHasOthers says whether another account than uid and root is in a group.
func (s *Scan) groupHasOthers(gid, uid int) bool {
	a := s.readAccounts()
	for i := range a.groups {
		if a.groups[i].gid != gid {
			continue
		}
		for _, name := range a.groups[i].members {
			if slices.ContainsFunc(a.uids[name], func(n int) bool { return n != uid && n != 0 }) {
				return true
			}
		}
	}
	return false
}

// inGroup says whether an account of a uid is in a group.
func (s *Scan) inGroup(gid, uid int) bool {
	a := s.readAccounts()
	return slices.ContainsFunc(a.groups, func(g group) bool {
		return g.gid == gid && slices.ContainsFunc(g.members, func(name string) bool { return slices.Contains(a.uids[name], uid) })
	})
}
