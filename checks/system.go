//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// collectSystem reads secrets, accounts and consoles that are open, the clock, and what loads a packet filter at boot. Its parts are readable,
// accounts, consoles, clock, boot, cloud and packages.
func collectSystem(ctx context.Context, s *Scan, snap *snapshot.Snapshot) *Outcome {
	out := new(Outcome)
	sec := &snap.System
	procs, err := s.processes()
	if err != nil {
		out.fail("list processes", err)
		return out
	}
	sec.Readable = s.secretsRead(ctx, out)
	sec.Accounts = s.openAccounts(out)
	sec.Consoles = s.openConsoles(procs, out)
	sec.Clock = s.clock(procs, out)
	sec.Firewalls, sec.FirewallsRead = s.bootFirewalls()
	if f := sec.FirewallsRead; f.State == snapshot.Denied || f.State == snapshot.Error {
		out.partialIn("boot", "what is started at boot: %s", f.Reason)
	}
	sec.Persisted = s.persisted(ctx, sec.Firewalls)
	sec.PersistedMore = s.persistedMore(ctx, sec.Firewalls)
	if sec.Cloud = s.cloud(); sec.Cloud.State == snapshot.Denied || sec.Cloud.State == snapshot.Error {
		out.partialIn("cloud", "whether this is a machine of a cloud: %s", sec.Cloud.Reason)
	}
	sec.Packages, sec.PackagesRead = s.flooredPackages(ctx)
	if f := sec.PackagesRead; f.State == snapshot.Denied || f.State == snapshot.Error {
		out.partialIn("packages", "versions of packages: %s", f.Reason)
	}
	return out
}

// maxOpenAccounts bounds the accounts that are told of.
const maxOpenAccounts = 256

// openAccounts finds the accounts with uid 0 besides root, and those whose password is empty.
func (s *Scan) openAccounts(out *Outcome) (list []snapshot.OpenAccount) {
	if _, err := s.Host.ReadFile("/etc/passwd"); err != nil {
		out.partialIn("accounts", "/etc/passwd: %v", err)
		return nil
	}
	empty := map[string]bool{}
	b, err := s.Host.ReadFile("/etc/shadow")
	if err != nil && !gone(err) {
		out.partialIn("accounts", "/etc/shadow: %v", err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.SplitN(line, ":", 3); len(f) == 3 {
			empty[f[0]] = f[1] == ""
		}
	}
	for _, u := range s.users() {
		a := snapshot.OpenAccount{Name: u.name, UID: u.uid, Empty: empty[u.name], Shell: loginShell(path.Join("/", u.shell))}
		if u.uid == 0 && u.name != "root" || a.Empty && a.Shell {
			if len(list) == maxOpenAccounts {
				out.partialIn("accounts", "more accounts are open than are kept")
				return list
			}
			list = append(list, a)
		}
	}
	return list
}

// gettys are the programs that ask for a login on a terminal, and login, which takes over from them.
var gettys = []string{"agetty", "getty", "mingetty", "fgetty"}

// openConsoles finds the terminals on which a getty was told to log somebody in, or has done so.
func (s *Scan) openConsoles(procs []*process, out *Outcome) (list []snapshot.Console) {
	for _, p := range procs {
		if p.Leader != 0 || s.separate(p) || p.UID != 0 {
			continue
		}
		exe := p.exeBase()
		getty := slices.Contains(gettys, exe)
		if !getty && exe != "login" {
			continue
		}
		if slices.Contains(p.Unread, "cmdline") || p.cut {
			out.partialIn("consoles", "the arguments of a %s could not be read", exe)
			continue
		}
		user := ""
		switch {
		case getty:
			user = last(optionValues(p.argv, "--autologin", "-a"))
		case strings.Contains(p.Unit, "getty@") || strings.HasPrefix(p.Unit, "console-getty"), p.PPID == 1:
			user = s.loggedInBy(p, procs)
		}
		if user == "" {
			continue
		}
		c := snapshot.Console{User: user, Unit: p.Unit, Evidence: exe + " logs in " + user + " by itself"}
		for _, a := range p.argv[1:] {
			if name := strings.TrimPrefix(a, "/dev/"); strings.HasPrefix(name, "tty") || name == "console" || strings.HasPrefix(name, "hvc") {
				c.TTY = name
			}
		}
		if _, at, ok := strings.Cut(strings.TrimSuffix(p.Unit, ".service"), "getty@"); ok && c.TTY == "" {
			c.TTY = at
		}
		if !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b snapshot.Console) int { return strings.Compare(a.TTY+a.User, b.TTY+b.User) })
	return list
}

// loggedInBy is the user whom a login of a getty has let in without a password (login(1), -f); empty for none. It takes its place and its parent, goes into
// the session that it begins, and wipes the name out of its arguments: then what it started tells who that is.
func (s *Scan) loggedInBy(p *process, procs []*process) string {
	names := optionValues(p.argv, "-f")
	if user := last(names); user != "" || !slices.Contains(p.argv, "-f") {
		return user
	}
	for _, child := range procs {
		if child.PPID == p.PID && child.Leader == 0 {
			return cmp.Or(s.userName(child.UID), strconv.Itoa(child.UID))
		}
	}
	return "somebody"
}

func last(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

// timekeepers are the programs that set the clock by others.
var timekeepers = []string{"chronyd", "ntpd", "ntp-daemon", "systemd-timesyncd", "openntpd", "ptp4l", "phc2sys", "ntimed-client", "busybox-ntpd"}

func (s *Scan) clock(procs []*process, out *Outcome) snapshot.Clock {
	c := snapshot.Clock{Synchronised: snapshot.Fact{State: snapshot.Error, Reason: "the host is not live"}}
	if s.Host.Live() {
		yes, err := host.Synchronised()
		c.Synchronised = toFact(map[bool]string{true: "yes", false: "no"}[yes], err)
	}
	if c.Synchronised.State != snapshot.Present {
		out.partialIn("clock", "whether the clock is right: %s", c.Synchronised.Reason)
	}
	for _, p := range procs {
		if exe := p.exeBase(); p.Leader == 0 && slices.Contains(timekeepers, exe) && p.ExeWord.Trusted() && !s.separate(p) && !slices.Contains(c.Services, exe) {
			c.Services = append(c.Services, exe)
		}
	}
	slices.Sort(c.Services)
	return c
}
