package power

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/rego"
	"github.com/ringfence/ringfence/snapshot"
)

// Check goes through an answer of no again, with nothing of what made it but the snapshot: whatever a closed state can use leads to a closed state, and
// none has what the goal is. It says what is wrong.
func Check(s *snapshot.Snapshot, apis []API, a *Answer) error { return newChecker(s, apis).check(a) }

// newChecker is a checker of answers about one snapshot. It keeps accounts by their ids and names, and nothing of any answer.
func newChecker(s *snapshot.Snapshot, apis []API) *checker {
	k := &checker{s: s, apis: apis, lacks: lacks(s), base: New(s, apis), loaded: map[string][]*snapshot.LeverFile{}}
	for i := range s.Powers.Files {
		f := &s.Powers.Files[i]
		k.loaded[f.Of] = append(k.loaded[f.Of], f)
	}
	return k
}

// check goes through one answer.
func (k *checker) check(a *Answer) error {
	if a.Verdict != No {
		return fmt.Errorf("an answer of %s has no certificate", a.Verdict)
	}
	if len(k.lacks) > 0 {
		return fmt.Errorf("what is not there is not known: %s", strings.Join(k.lacks, "; "))
	}
	k.goal, k.closed = a.Goal, map[string]bool{}
	for i := range a.Closed {
		k.closed[a.Closed[i].key()] = true
	}
	if !k.closed[a.Principal.State.key()] {
		return fmt.Errorf("%s itself is not among the states", a.Principal.Name)
	}
	for i := range a.Closed {
		if err := k.state(&a.Closed[i]); err != nil {
			return err
		}
	}
	return nil
}

// checker goes through the states of a certificate.
type checker struct {
	s      *snapshot.Snapshot
	apis   []API
	lacks  []string
	base   *Graph                           // whom rules of sudo and polkit name
	loaded map[string][]*snapshot.LeverFile // by what loads them
	goal   Goal
	closed map[string]bool
}

// matters says of a goal that reaching it refutes the answer.
func (k *checker) matters(g Goal) bool { return g == k.goal || g == Root }

// state looks at everything that a state could use. It is wider than what makes ways: what could be used counts as used.
func (k *checker) state(st *State) error {
	if st.UID == 0 && st.Place != InContainer {
		return fmt.Errorf("uid 0 among the host's files is root")
	}
	if err := k.files(st); err != nil {
		return err
	}
	if !st.OwnUser {
		if err := k.capabilities(st); err != nil {
			return err
		}
	}
	if err := k.sockets(st); err != nil {
		return err
	}
	if err := k.others(st); err != nil {
		return err
	}
	for _, api := range k.apis {
		if !st.Offline && (st.InNet || st.Relayed || api.Workloads != No) && (api.UID == 0 || api.UID != st.UID && !k.account(api.UID)) {
			return fmt.Errorf("uid %d can reach %s", st.UID, api.Name)
		}
	}
	for i := range k.s.Powers.Files {
		if f := &k.s.Powers.Files[i]; st.InNet && f.Kind == snapshot.LeverSocket && strings.HasPrefix(f.Path, "@") && !k.base.answers(f) {
			return fmt.Errorf("uid %d can connect to %s of %s", st.UID, f.Path, f.By)
		}
	}
	for _, x := range k.s.Powers.Exports {
		port := x.AnyPort || st.Caps&(1<<10) != 0 || !st.InNet // in a network of its own it may have every port
		if port && !st.Offline && (st.InNet || st.Relayed || !x.OwnHost) {
			return fmt.Errorf("uid %d may write %s by NFS as root", st.UID, x.Dir)
		}
	}
	if st.Place == InContainer {
		return k.container(st)
	}
	if err := k.polkit(st); err != nil {
		return err
	}
	if err := k.bus(st); err != nil {
		return err
	}
	if err := k.itself(st); err != nil {
		return err
	}
	if st.NoNewPrivs || st.OwnUser || st.UID == 0 {
		return nil
	}
	return k.programs(st)
}

// holds says whether a state is one of those whom a permission is for.
func holds(st *State, p snapshot.Permit) bool {
	switch p.Who {
	case snapshot.PermitUser:
		return p.ID == st.UID
	case snapshot.PermitGroup:
		return slices.Contains(st.Groups, p.ID)
	case snapshot.PermitAll:
	}
	return true
}

// shut says whether a directory on the way to a permit keeps a state out; of a container one at or below the directory that is mounted.
func shut(st *State, f *snapshot.LeverFile, p snapshot.Permit, mounted string) bool {
	if st.Caps&(1<<1|1<<2) != 0 {
		return false
	}
	for _, g := range f.Gates {
		onWay := path.IsAbs(g.At) && (g.At == "/" || g.At == p.At || strings.HasPrefix(p.At, g.At+"/"))
		inside := mounted == "/" || g.At == mounted || strings.HasPrefix(g.At, mounted+"/")
		if onWay && inside && !slices.ContainsFunc(g.Permits, func(q snapshot.Permit) bool { return holds(st, q) }) {
			return true
		}
	}
	return false
}

// gets says whether a state may get at a path of the host, to write it or to run it: it does not only if none of its mounts shows it.
func (k *checker) gets(st *State, p string, write, run bool) bool {
	return k.getsBy(st, p, write, run, false)
}

// getsBy is gets; shut says that the directories of the host on the way keep the state out, which they do where no mount moves any of them.
func (k *checker) getsBy(st *State, p string, write, run, shut bool) bool {
	if st.Place != Apart {
		return !shut
	}
	if st.View < 1 || st.View > len(k.s.Powers.Views) || k.s.Powers.Views[st.View-1].Unread != "" {
		return true
	}
	under, mounts := "", k.s.Powers.Views[st.View-1].Mounts
	for _, q := range k.s.Powers.Points {
		if (q == "/" || p == q || strings.HasPrefix(p, q+"/")) && len(q) > len(under) {
			under = q
		}
	}
	for _, m := range mounts {
		rest, inside := strings.CutPrefix(p, strings.TrimSuffix(m.Of, "/"))
		if m.Of == "" || m.Under != under && under != "" || !inside || rest != "" && rest[0] != '/' || write && m.RO || run && (m.NoSUID || m.NoExec) {
			continue
		}
		at := path.Clean(m.At + "/" + rest)
		if shut && at == p && unmoved(mounts, p) {
			continue
		}
		if !slices.ContainsFunc(mounts, func(n snapshot.ViewMount) bool {
			return len(n.At) > len(m.At) && (n.At == at || strings.HasPrefix(at, n.At+"/"))
		}) {
			return true
		}
	}
	return under == ""
}

// unmoved says of a path that every mount that it can be in is of the same place of the host.
func unmoved(mounts []snapshot.ViewMount, p string) bool {
	root := slices.ContainsFunc(mounts, func(n snapshot.ViewMount) bool { return n.At == "/" && n.Of == "/" })
	return root && !slices.ContainsFunc(mounts, func(n snapshot.ViewMount) bool {
		return n.At != n.Of && (n.At == "/" || p == n.At || strings.HasPrefix(p, n.At+"/"))
	})
}

// itself looks at what the account of a state does without its restrictions: its manager, its shells, and cron.
func (k *checker) itself(st *State) error {
	a := k.base.accounts[st.UID]
	if a == nil || st.UID == 0 || k.account(st.UID) {
		return nil
	}
	groups := append([]int{a.GID}, a.Groups...)
	if !st.NoNewPrivs && !st.OwnUser && st.Confined == "" && st.Place == OnHost && !st.looser(k.base.account(st.UID)) && !slices.ContainsFunc(groups, func(g int) bool { return !slices.Contains(st.Groups, g) }) {
		return nil
	}
	unit, manager := fmt.Sprintf("user@%d.service", st.UID), false
	for _, p := range k.s.Processes.List {
		manager = manager || p.UID == st.UID && p.Unit == unit && p.Comm == "systemd"
	}
	home := path.Join("/", a.Home)
	if manager && k.gets(st, fmt.Sprintf("/run/user/%d", st.UID), false, false) || a.Login && k.gets(st, home, true, false) {
		return fmt.Errorf("what %s does later is not among the states", a.Name)
	}
	return k.later(st)
}

// others looks at processes of the host that are seen, and run as the same user.
func (k *checker) others(st *State) error {
	if !st.HostPID || st.OwnUser {
		return nil
	}
	for i := range k.s.Processes.List {
		p, init := &k.s.Processes.List[i], k.s.Processes.Init
		if p.UID != st.UID && st.Caps&(1<<7) == 0 || p.Container != "" || p.NS.User != init.User || snapshot.Caps(p.CapPrm)&^st.Caps != 0 {
			continue
		}
		its := stateIn(k.s, "", p)
		if err := k.looksInto(st, p, &its); err != nil {
			return err
		}
		less := st.NoNewPrivs && !its.NoNewPrivs || st.Confined != "" && its.Confined == "" || st.looser(&its) || slices.ContainsFunc(its.Groups, func(g int) bool { return !slices.Contains(st.Groups, g) })
		if p.UID == st.UID && st.Place != InContainer && (less || its.Place == OnHost && st.Place != OnHost) && !k.closed[its.key()] {
			return fmt.Errorf("%s runs as uid %d with fewer restrictions", p.Comm, st.UID)
		}
	}
	return nil
}

// looksInto looks at the files that a process of the host sees and a state of its user does not, if that may be in its group.
func (k *checker) looksInto(st *State, p *snapshot.Process, its *State) error {
	to := *st
	to.Place, to.Container, to.View = its.Place, "", its.View
	if p.Undumpable || st.Place == OnHost || st.Place == to.Place && st.View == to.View || !slices.Contains(st.Groups, p.GID) && st.Caps&(1<<6) == 0 {
		return nil
	}
	if to.UID = p.UID; len(st.Groups) == 0 || st.Groups[0] != p.GID && st.Caps&(1<<6) != 0 {
		to.Groups = its.Groups
	}
	if !k.closed[to.key()] {
		return fmt.Errorf("%s of the host runs as uid %d, and is seen", p.Comm, p.UID)
	}
	return nil
}

func (k *checker) files(st *State) error {
	if st.Place == InContainer {
		return nil
	}
	for i := range k.s.Powers.Files {
		f := &k.s.Powers.Files[i]
		var goal Goal
		switch {
		case f.Kind == snapshot.LeverFilter:
			goal = Filter
		case f.Kind == snapshot.LeverSecret:
			goal = Secret
		case f.UID == 0:
			goal = Root
		}
		write := f.Kind != snapshot.LeverSecret && f.Kind != snapshot.LeverSocket
		if f.Kind == snapshot.LeverSocket && (strings.HasPrefix(f.Path, "@") || k.base.answers(f)) {
			continue // by their names they are looked at apart
		}
		open := f.Unread != "" && k.gets(st, f.Path, write, false) || slices.ContainsFunc(f.Permits, func(p snapshot.Permit) bool {
			return holds(st, p) && k.getsBy(st, p.At, write, false, shut(st, f, p, "/"))
		})
		if open && goal == "" && f.Gives != nil && !k.closed[k.base.withGiven(f).key()] {
			return fmt.Errorf("uid %d gets at %s, to which %s gives more, which is not among the states", st.UID, f.Path, f.By)
		}
		switch {
		case !open, f.UID == st.UID && goal == "":
		case goal != "" && (k.matters(goal) || f.By == snapshot.ClusterCredentials):
			return fmt.Errorf("uid %d gets at %s", st.UID, f.Path)
		case goal == "" && !k.account(f.UID):
			return fmt.Errorf("uid %d gets at %s of uid %d, which is not among the states", st.UID, f.Path, f.UID)
		}
	}
	return k.own(st)
}

// account says whether somebody who logs in as a uid is among the states.
func (k *checker) account(uid int) bool {
	return k.closed[k.base.account(uid).key()]
}

// turned says whether what a program makes of a state, as sudo does, is among the states: it has the user and the groups of an account, and no capabilities.
func (k *checker) turned(st *State, a *snapshot.Account) bool {
	to := *st
	to.UID, to.Groups, to.Caps = a.UID, append([]int{a.GID}, a.Groups...), 0
	return k.closed[to.key()]
}

func (k *checker) sockets(st *State) error {
	for _, sock := range k.s.Runtimes.Sockets {
		seen := st.Place != InContainer && (!sock.Closed || st.UID == sock.UID) || slices.ContainsFunc(sock.Mounts, func(m snapshot.Mount) bool {
			return st.Place == InContainer && m.Container == st.Container
		})
		p := &snapshot.Process{UID: st.UID, GID: -1, Groups: st.Groups}
		if sock.Container != "" || !seen || !sock.MayWrite(p) || !k.gets(st, strings.Replace(sock.Path, "/var/run/", "/run/", 1), false, false) {
			continue
		}
		rules := k.s.Powers.PolkitRead.State
		if sock.Gated && sock.Asks == "polkit" && (st.UID != 0 || st.OwnUser) && st.Place != InContainer && (rules == snapshot.Present || rules == snapshot.Absent) {
			continue // polkit looks at what those grant
		}
		if sock.UID == 0 || sock.UID != st.UID && !k.account(sock.UID) {
			return fmt.Errorf("uid %d connects to %s", st.UID, sock.Path)
		}
	}
	return nil
}

// container looks at what of the host is in a container.
func (k *checker) container(st *State) error {
	found := false
	for _, c := range k.s.Runtimes.Containers {
		if c.ID != st.Container {
			continue
		}
		found = true
		if why := mountsUnread(&c); why != "" {
			return fmt.Errorf("what is mounted in %s is not known: %s", c.ID, why)
		}
		if !st.OwnUser && c.AllDevices && st.has(capMknod) || (!st.OwnUser || st.UID == 0) && slices.ContainsFunc(c.Devices, disk) {
			return fmt.Errorf("the disks of the host are in %s", c.ID)
		}
		if len(k.base.byKernelFiles(st, &c)) > 0 {
			return fmt.Errorf("settings of the kernel are written in %s", c.ID)
		}
		for _, m := range c.Mounts {
			if err := cmp.Or(k.mount(st, m), k.alone(st, m)); err != nil {
				return err
			}
		}
	}
	if !found {
		return fmt.Errorf("container %s was not found", st.Container)
	}
	return nil
}

func (k *checker) mount(st *State, m snapshot.ContainerMount) error {
	below := func(p string) bool {
		return m.Source == "/" || p == m.Source || strings.HasPrefix(p, strings.TrimSuffix(m.Source, "/")+"/")
	}
	belowRun := func(p string) bool { // /var/run is a link
		source := strings.TrimSuffix(strings.Replace(path.Clean(m.Source)+"/", "/var/run/", "/run/", 1), "/")
		return strings.HasPrefix(strings.Replace(p, "/var/run/", "/run/", 1)+"/", source+"/")
	}
	if st.UID == 0 {
		if k.goal == Secret && holdsSecrets(path.Clean(m.Source)) {
			return fmt.Errorf("secrets of the host are in the container, by %s", m.Source)
		}
		for _, p := range append(slices.Clone(rootPlaces), statePlaces...) {
			if m.RW && (below(p) || !slices.Contains(statePlaces, p) && strings.HasPrefix(m.Source, p+"/")) {
				return fmt.Errorf("%s of the host is in the container", m.Source)
			}
		}
	}
	for _, f := range k.s.Powers.Files {
		if f.Kind == snapshot.LeverSocket && st.UID == 0 && !st.OwnUser && belowRun(f.Path) && !k.base.answersRoot(&f) &&
			(f.UID == 0 || st.Caps&(1<<1) != 0 && !k.account(f.UID)) {
			return fmt.Errorf("root in the container connects to %s of %s", f.Path, f.By)
		}
		if f.Kind == snapshot.LeverSecret && k.goal != Secret && f.By != snapshot.ClusterCredentials || !m.RW && f.Kind != snapshot.LeverSecret && f.Kind != snapshot.LeverSocket || f.Kind == snapshot.LeverSocket && k.base.answers(&f) {
			continue
		}
		for _, p := range f.Permits {
			if below(p.At) && holds(st, p) && !shut(st, &f, p, path.Clean(m.Source)) && (f.UID == 0 && (f.Kind != snapshot.LeverFilter || k.goal == Filter) || f.UID != 0 && f.UID != st.UID && !k.account(f.UID)) {
				return fmt.Errorf("%s is open to it in %s", p.At, m.Source)
			}
		}
	}
	return nil
}

// polkit looks at what polkit grants.
func (k *checker) polkit(st *State) error {
	if f := k.s.Powers.PolkitRead.State; f != snapshot.Present && f != snapshot.Absent {
		return fmt.Errorf("the rules of polkit are not known")
	}
	for i := range k.s.Powers.Polkit {
		if !k.gets(st, "/run/dbus/system_bus_socket", false, false) {
			break
		}
		p := &k.s.Powers.Polkit[i]
		if executes(p) && !st.NoNewPrivs && !st.OwnUser && k.base.meets(p, st) && k.tool(st, "pkexec") {
			return fmt.Errorf("%s lets uid %d run %s as root", p.File, st.UID, p.Exec[0])
		}
		if p.Action == execAction && p.Unread == "" && (st.NoNewPrivs || st.OwnUser || !k.tool(st, "pkexec")) {
			continue
		}
		gives := p.Action == "" || slices.Contains(rego.Gains().Actions, p.Action) || k.goal == Filter && slices.Contains(rego.Gains().FilterActions, p.Action)
		if p.Unread != "" || gives && !(p.Narrower && p.Action == manageUnits) && k.base.meets(p, st) && !k.unasked(st, p.Action) {
			return fmt.Errorf("%s lets uid %d do %s", p.File, st.UID, p.Action)
		}
	}
	return nil
}

// bus looks at services of root that are not known to ask polkit.
func (k *checker) bus(st *State) error {
	if runsBus(k.s, st.UID) {
		return fmt.Errorf("uid %d runs the system bus", st.UID)
	}
	if st.UID == 0 || !k.gets(st, "/run/dbus/system_bus_socket", false, false) {
		return nil
	}
	if f := k.s.Powers.BusRead.State; f != snapshot.Present && f != snapshot.Absent {
		return fmt.Errorf("who may ask services of the system bus is not known")
	}
	for i := range k.s.Powers.Bus {
		if n := &k.s.Powers.Bus[i]; !slices.Contains(rego.Gains().Asks, n.Name) && !k.refused(st, n) {
			return fmt.Errorf("the bus lets uid %d ask %s", st.UID, n.Name)
		}
	}
	return nil
}

// refused says whether the bus keeps a state from asking a service: after each rule that allows it anything comes one that denies it everything.
func (k *checker) refused(st *State, n *snapshot.BusName) bool {
	for i := len(n.Rules) - 1; i >= 0; i-- {
		r := &n.Rules[i]
		a := k.base.accounts[st.UID]
		listed := a != nil && r.Who == snapshot.PermitGroup && (a.GID == r.ID || slices.Contains(a.Groups, r.ID))
		if !listed && !holds(st, snapshot.Permit{Who: r.Who, ID: r.ID}) || r.Console && (a == nil || !a.Login) {
			continue
		}
		if r.Allow {
			return false
		}
		if !r.Narrow && !r.Console {
			return true
		}
	}
	return true
}

// unasked says of an action that the bus keeps a state from asking who does it.
func (k *checker) unasked(st *State, action string) bool {
	for prefix, name := range rego.Gains().Services {
		for i := range k.s.Powers.Bus {
			if n := &k.s.Powers.Bus[i]; strings.HasPrefix(action, prefix) && n.Name == name {
				return st.UID != 0 && k.refused(st, n)
			}
		}
	}
	return false
}

// programs looks at sudo and at programs with other powers.
func (k *checker) programs(st *State) error {
	if k.s.Powers.Searched != snapshot.SearchedAll {
		return fmt.Errorf("not all programs with other powers are known")
	}
	if f := k.s.Powers.SudoRead.State; f != snapshot.Present && f != snapshot.Absent {
		return fmt.Errorf("the rules of sudo are not known")
	}
	if st.View > 0 && st.View <= len(k.s.Powers.Views) && slices.ContainsFunc(k.s.Powers.Views[st.View-1].Mounts, func(m snapshot.ViewMount) bool { return m.Own }) {
		return fmt.Errorf("uid %d may have programs that the host does not see", st.UID)
	}
	if err := cmp.Or(k.sudo(st), k.doas(st), k.subIDs(st)); err != nil {
		return err
	}
	for _, p := range k.s.Powers.Programs {
		for _, a := range k.s.Powers.Accounts {
			if path.Base(p.Path) == "su" && p.SetUID != nil && runs(st, &p) && k.starts(st, &p) && a.NoPassword && a.Login && a.UID != st.UID && (a.UID == 0 || !k.turned(st, &a)) {
				return fmt.Errorf("uid %d needs no password of %s", st.UID, a.Name)
			}
		}
		if harmless(p.Path) && !k.base.shares(st, &p) && !k.loads(st, &p) || !runs(st, &p) || !k.starts(st, &p) || p.SetUID != nil && *p.SetUID == st.UID {
			continue
		}
		if p.SetGID == nil && p.SetUID == nil && (!st.Unbound || p.Caps == "") && snapshot.Caps(p.Caps)&^st.Lacks == 0 && snapshot.Caps(p.Inherits)&st.Inherits == 0 {
			continue
		}
		if p.SetGID != nil && p.SetUID == nil && p.Caps == "" && snapshot.Caps(p.Inherits)&st.Inherits == 0 {
			to := *st
			to.Groups = append(slices.Clone(st.Groups), *p.SetGID)
			if slices.Contains(st.Groups, *p.SetGID) || k.closed[to.key()] {
				continue
			}
		}
		return fmt.Errorf("%s gives who runs it more", p.Path)
	}
	return nil
}

// loads says of a program whether a state may decide which libraries it loads.
func (k *checker) loads(st *State, p *snapshot.GainProgram) bool {
	return p.LoadsHere || p.LoadsUnread != "" || slices.ContainsFunc(k.loaded[p.Path], func(f *snapshot.LeverFile) bool {
		return f.Unread != "" || slices.ContainsFunc(f.Permits, func(q snapshot.Permit) bool {
			return holds(st, q) && k.getsBy(st, q.At, true, false, shut(st, f, q, "/"))
		})
	})
}
