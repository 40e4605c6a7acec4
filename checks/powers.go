//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// levers collects the files by which somebody gets more than they have.
type levers struct {
	s    *Scan
	ctx  context.Context
	w    *permitWalker
	out  *Outcome
	list []snapshot.LeverFile
	// alone are those of which root decides alone, or the user as whom they are run.
	alone   []snapshot.LeverFile
	aloneAt map[leverKey]int
	seen    map[leverKey]bool
	// followed are the scripts whose commands were looked at.
	followed map[leverKey]bool
	scripts  map[string]bool // by their paths
	later    []func()        // what is looked at when the rest is known
	libs     libraries
	// closed are paths of which root alone decides.
	closed map[string]bool
	// included are the files and directories that rules of sudo are read from.
	included map[string]bool
	// sure are paths of which it is known that root does what is there.
	sure map[string]bool
	// lsb: cron takes tables whose names have dots.
	lsb bool
	// debian: cron is Debian's. Nil is not asked yet.
	debian *bool
	// strictSSH is why files of keys that others write are not known to be read.
	strictSSH string
	// found are programs by PATH and name, and sources texts of scripts that others read: most are of many scripts.
	found   map[[2]string]string
	sources map[string]string
}

type leverKey struct {
	path    string
	kind    snapshot.LeverKind
	uid     int
	trigger snapshot.Trigger
	unsure  bool
	of      string
	gives   string
}

func leverKeyOf(f snapshot.LeverFile) leverKey {
	gives := ""
	if f.Gives != nil {
		gives = fmt.Sprint(*f.Gives)
	}
	return leverKey{f.Path, f.Kind, f.UID, f.Trigger, f.Unsure != "", f.Of, gives}
}

// maxLevers bounds the files that are listed: those that others than root decide of.
const maxLevers = 20_000

func (s *Scan) newLevers(ctx context.Context, out *Outcome) *levers {
	return &levers{
		s: s, ctx: ctx, w: s.newPermitWalker(), out: out, seen: map[leverKey]bool{}, aloneAt: map[leverKey]int{}, followed: map[leverKey]bool{}, scripts: map[string]bool{}, closed: map[string]bool{}, sure: map[string]bool{}, included: map[string]bool{},
		found: map[[2]string]string{}, sources: map[string]string{}, libs: libraries{read: map[string]objectRead{}, done: map[leverKey]bool{}},
	}
}

func collectPowers(ctx context.Context, s *Scan, snap *snapshot.Snapshot) *Outcome {
	out := new(Outcome)
	l := s.newLevers(ctx, out)
	sec := &snap.Powers
	procs, err := s.processes()
	if err != nil && s.Host.Live() {
		out.fail("list processes", err)
		return out
	}
	l.systemd(procs)
	l.cron(procs)
	l.bus(procs)
	l.system()
	l.sudoIncludes()
	l.logrotate()
	l.supervised()
	l.kernel()
	l.sockets(procs)
	l.running(procs)
	l.loader("/etc/ld.so.conf", map[string]bool{})
	l.modules()
	l.named()
	l.etc()
	l.sshdPlaces()
	l.logins()
	l.userUnits()
	l.variables()
	l.whole()
	l.rest()
	l.packaged()
	l.secrets()
	l.devices()
	sec.Views, sec.Points = s.views(procs)
	sec.Accounts = s.powerAccounts()
	if err := s.emptyPasswords(sec.Accounts); err != nil {
		out.partialIn("accounts", "which passwords are empty: %v", err)
	}
	sec.EmptyPasswords = s.emptyTaken(out)
	if otherAccounts(s.Host.ReadFile) {
		out.partialIn("accounts", "accounts come from elsewhere than /etc/passwd (nsswitch.conf), and which groups they have is not known")
	}
	sec.SubIDs = s.subIDs(out)
	sec.Doas, sec.DoasRead = s.doas()
	l.doasCommands(sec.Doas)
	if otherSources(s.Host.ReadFile, "sudoers") {
		out.partialIn("sudo", "rules of sudo come from elsewhere than /etc/sudoers (nsswitch.conf), and are not read")
	}
	if _, err := s.Host.Lstat("/etc/sudoers-rs"); err == nil {
		out.partialIn("sudo", "the rules of sudo-rs are not read")
	}
	for _, g := range s.groups() {
		sec.Groups = append(sec.Groups, snapshot.NamedGroup{Name: g.name, GID: g.gid})
	}
	sec.Sudo, sec.SudoRead = s.sudo(ctx)
	l.sudoCommands(sec.Sudo)
	l.whole()
	sec.Polkit, sec.PolkitRead = s.polkit()
	sec.Bus, sec.BusRead = s.busPolicy()
	sec.Exports = s.rootExports(out)
	sec.Programs, sec.Searched = l.gainPrograms()
	sec.Files, sec.Alone, sec.Looked = l.list, l.alone, l.w.looked
	return out
}

// add looks at what is at a path, and lists it if somebody besides root decides of it.
func (l *levers) add(f snapshot.LeverFile) {
	k := leverKeyOf(f)
	if l.seen[k] || !path.IsAbs(f.Path) || l.closed[f.Path] && f.Kind != snapshot.LeverSecret && !l.apart(&f) {
		return
	}
	l.seen[k] = true
	if l.ctx.Err() != nil || len(l.list) == maxLevers {
		l.out.partialIn("files", "not all files were looked at by which somebody gets more than they have")
		return
	}
	type answer struct {
		list   []snapshot.Permit
		real   string
		gates  []snapshot.Gate
		exists bool
	}
	a, err := patient(l.s, "the way to files that root runs", func() (answer, error) {
		var a answer
		var err error
		if f.Kind == snapshot.LeverSecret {
			a.list, a.exists, err = l.w.readers(f.Path)
		} else {
			a.list, a.real, a.exists, err = l.w.writers(f.Path)
		}
		if err == nil {
			a.gates, err = l.w.gates(a.list)
		}
		return a, err
	})
	switch {
	case err != nil:
		f.Unread = err.Error()
		if unanswered(err) {
			l.out.partialIn("files", "%s: %v", f.Path, err)
		}
	case f.Kind == snapshot.LeverSecret && !a.exists:
		return
	default:
		l.closed[f.Path] = f.Kind != snapshot.LeverSecret && len(a.list) == 0
		f.Gates = a.gates
		l.own(f, a.list, a.real)
		list := slices.DeleteFunc(a.list, func(p snapshot.Permit) bool { // of what is somebody's own nothing is gained
			return p.Who == snapshot.PermitUser && p.ID == f.UID && f.UID > 0
		})
		read, put, why := l.leaves(&f, list, a.real)
		if f.Permits = put; len(put) > 0 {
			unsure := f
			unsure.Unsure = cmp.Or(f.Unsure, why)
			l.list = append(l.list, unsure)
		}
		if f.Permits = read; len(read) == 0 {
			return
		}
		l.sure[f.Path] = l.sure[f.Path] || f.Unsure == "" && f.UID == 0 && f.Kind != snapshot.LeverSecret
	}
	l.list = append(l.list, f)
}

// unanswered says of an error that what is at a path is not known because of it; of others, as of a path through a file, nothing is there.
func unanswered(err error) bool {
	return denied(err) || errors.Is(err, errSilent) || errors.Is(err, errManyStats)
}

// tree adds a directory and the files in it.
func (l *levers) tree(dir string, f snapshot.LeverFile) {
	f.Path = dir
	l.add(f)
	for _, n := range l.namesIn(dir, maxInDir, "files") {
		if f.Path = path.Join(dir, n); l.ignored(f.Path) || !l.runsPart(dir, n) {
			continue
		}
		l.add(f)
		if f.Kind == snapshot.LeverProgram {
			l.follow(f, runsHere{dir: "/"})
		} else if f.Kind == snapshot.LeverLogin {
			l.loginScript(f)
		}
	}
}

// maxInDir bounds the files of one directory of settings.
const maxInDir = 1024

// glob are the paths that match. What was not looked at is told.
func (l *levers) glob(pattern string) []string {
	paths, more := l.s.Host.Glob(pattern)
	if more {
		l.out.partialIn("files", "there is more at %s than was looked at", pattern)
	}
	return paths
}

// namesIn are the names in a directory, at most that many. One that is not there has none; what is not read is told.
func (l *levers) namesIn(dir string, most int, what string) []string {
	names, err := l.s.Host.ReadDir(dir)
	if err != nil && !host.Absent(err) {
		l.out.partialIn("files", "%s: %v", dir, err)
	}
	if len(names) > most {
		l.out.partialIn("files", "%s has more %s than are looked at", dir, what)
	}
	return names[:min(len(names), most)]
}

// place is a file or a directory of the system that decides what root does.
type place struct {
	path    string
	kind    snapshot.LeverKind
	trigger snapshot.Trigger
	by      string
	tree    bool // the files in it too
}

// places are those that every distribution has, or could have: what is not there counts by who can put it there.
var places = []place{
	{"/etc/passwd", snapshot.LeverSystem, snapshot.TriggerNone, "accounts", false},
	{"/etc/shadow", snapshot.LeverSystem, snapshot.TriggerNone, "accounts", false},
	{"/etc/group", snapshot.LeverSystem, snapshot.TriggerNone, "accounts", false},
	{"/etc/gshadow", snapshot.LeverSystem, snapshot.TriggerNone, "accounts", false},
	{"/etc/nsswitch.conf", snapshot.LeverSystem, snapshot.TriggerNone, "accounts", false},
	{"/etc/sudoers", snapshot.LeverSystem, snapshot.TriggerNone, "sudo", false},
	{"/etc/sudoers.d", snapshot.LeverSystem, snapshot.TriggerNone, "sudo", true},
	{"/etc/sudo.conf", snapshot.LeverSystem, snapshot.TriggerNone, "sudo", false},
	{"/etc/doas.conf", snapshot.LeverSystem, snapshot.TriggerNone, "doas", false},
	{"/etc/pam.d", snapshot.LeverSystem, snapshot.TriggerNone, "PAM", true},
	{"/usr/lib/pam.d", snapshot.LeverSystem, snapshot.TriggerNone, "PAM", true},
	{"/usr/share/pam.d", snapshot.LeverSystem, snapshot.TriggerNone, "PAM", true},
	{"/etc/security", snapshot.LeverSystem, snapshot.TriggerLogin, "PAM", true},
	{"/etc/polkit-1/rules.d", snapshot.LeverSystem, snapshot.TriggerNone, "polkit", true},
	{"/usr/share/polkit-1/rules.d", snapshot.LeverSystem, snapshot.TriggerNone, "polkit", true},
	{"/usr/share/polkit-1/actions", snapshot.LeverSystem, snapshot.TriggerNone, "polkit", true},
	{"/etc/ld.so.preload", snapshot.LeverSystem, snapshot.TriggerNone, "the loader", false},
	{"/etc/ld.so.conf", snapshot.LeverSystem, snapshot.TriggerOperator, "the loader", false},
	{"/etc/ld.so.conf.d", snapshot.LeverSystem, snapshot.TriggerOperator, "the loader", true},
	{"/etc/ld.so.cache", snapshot.LeverSystem, snapshot.TriggerNone, "the loader", false},
	{"/etc/environment", snapshot.LeverSystem, snapshot.TriggerLogin, "PAM", false},
	{"/etc/profile", snapshot.LeverLogin, snapshot.TriggerLogin, "somebody", false},
	{"/etc/profile.d", snapshot.LeverLogin, snapshot.TriggerLogin, "somebody", true},
	{"/etc/bash.bashrc", snapshot.LeverLogin, snapshot.TriggerLogin, "somebody", false},
	{"/etc/bashrc", snapshot.LeverLogin, snapshot.TriggerLogin, "somebody", false},
	{"/etc/update-motd.d", snapshot.LeverProgram, snapshot.TriggerLogin, "PAM", true},
	{"/etc/ssh/sshd_config", snapshot.LeverSystem, snapshot.TriggerRestart, "sshd", false},
	{"/etc/ssh/sshd_config.d", snapshot.LeverSystem, snapshot.TriggerRestart, "sshd", true},
	{"/etc/ssh/sshrc", snapshot.LeverLogin, snapshot.TriggerLogin, "somebody", false},
	{"/etc/subuid", snapshot.LeverSystem, snapshot.TriggerNone, "newuidmap", false},
	{"/etc/subgid", snapshot.LeverSystem, snapshot.TriggerNone, "newgidmap", false},
	{"/etc/cloud/cloud.cfg", snapshot.LeverSystem, snapshot.TriggerRestart, "cloud-init", false},
	{"/etc/cloud/cloud.cfg.d", snapshot.LeverSystem, snapshot.TriggerRestart, "cloud-init", true},
	{"/var/lib/extensions", snapshot.LeverSearch, snapshot.TriggerRestart, "extensions of the system", true},
	{"/var/lib/confexts", snapshot.LeverSearch, snapshot.TriggerRestart, "extensions of the settings", true},
	{"/run/extensions", snapshot.LeverSearch, snapshot.TriggerRestart, "extensions of the system", true},
	{"/run/confexts", snapshot.LeverSearch, snapshot.TriggerRestart, "extensions of the settings", true},
	{"/var/lib/machines", snapshot.LeverSearch, snapshot.TriggerRestart, "machines", true},
	{"/var/lib/portables", snapshot.LeverSearch, snapshot.TriggerOperator, "portable services", true},
	{"/var/cache/apt/archives", snapshot.LeverSearch, snapshot.TriggerOperator, "packages", true},
	{"/var/lib/apt/lists", snapshot.LeverSearch, snapshot.TriggerOperator, "lists of packages", false},
	{"/usr/lib/kernel/install.d", snapshot.LeverProgram, snapshot.TriggerOperator, "the kernel's package", true},
	{"/var/lib/cloud/scripts/per-boot", snapshot.LeverProgram, snapshot.TriggerRestart, "cloud-init", true},
	{"/etc/acpi/events", snapshot.LeverSystem, snapshot.TriggerRestart, "acpid", true},
	{"/etc/sysctl.conf", snapshot.LeverSystem, snapshot.TriggerRestart, "systemd-sysctl", false},
	{"/etc/fstab", snapshot.LeverSystem, snapshot.TriggerRestart, "systemd-fstab-generator", false},
	{"/etc/crypttab", snapshot.LeverSystem, snapshot.TriggerRestart, "systemd-cryptsetup", false},
	{"/etc/logrotate.conf", snapshot.LeverSystem, snapshot.TriggerTimer, "logrotate", false},
	{"/etc/logrotate.d", snapshot.LeverSystem, snapshot.TriggerTimer, "logrotate", true},
	{"/etc/apt/apt.conf.d", snapshot.LeverSystem, snapshot.TriggerTimer, "apt", true},
	{"/etc/apt/apt.conf", snapshot.LeverSystem, snapshot.TriggerTimer, "apt", false},
	{"/etc/apt/sources.list", snapshot.LeverSystem, snapshot.TriggerOperator, "apt", false},
	{"/etc/apt/sources.list.d", snapshot.LeverSystem, snapshot.TriggerOperator, "apt", true},
	{"/etc/yum.repos.d", snapshot.LeverSystem, snapshot.TriggerOperator, "dnf", true},
	{"/etc/dnf/plugins", snapshot.LeverSystem, snapshot.TriggerOperator, "dnf", true},
	{"/etc/needrestart", snapshot.LeverSystem, snapshot.TriggerOperator, "needrestart", true},
	{"/etc/dpkg/dpkg.cfg.d", snapshot.LeverSystem, snapshot.TriggerOperator, "dpkg", true},
	{"/var/lib/dpkg", snapshot.LeverSearch, snapshot.TriggerOperator, "dpkg", false},
	{"/var/lib/dpkg/alternatives", snapshot.LeverSearch, snapshot.TriggerOperator, "update-alternatives", false},
	{"/var/lib/dpkg/info", snapshot.LeverSearch, snapshot.TriggerOperator, "dpkg", false},
	{"/etc/kernel", snapshot.LeverProgram, snapshot.TriggerOperator, "the kernel's package", true},
	{"/etc/initramfs-tools", snapshot.LeverProgram, snapshot.TriggerOperator, "initramfs", true},
	{"/etc/network/if-up.d", snapshot.LeverProgram, snapshot.TriggerRestart, "ifupdown", true},
	{"/etc/network/if-pre-up.d", snapshot.LeverProgram, snapshot.TriggerRestart, "ifupdown", true},
	{"/etc/network/if-down.d", snapshot.LeverProgram, snapshot.TriggerRestart, "ifupdown", true},
	{"/etc/network/if-post-down.d", snapshot.LeverProgram, snapshot.TriggerRestart, "ifupdown", true},
	{"/etc/network/interfaces.d", snapshot.LeverSystem, snapshot.TriggerRestart, "ifupdown", true},
	{"/etc/network/interfaces", snapshot.LeverSystem, snapshot.TriggerRestart, "ifupdown", false},
	{"/etc/NetworkManager/dispatcher.d", snapshot.LeverProgram, snapshot.TriggerRestart, "NetworkManager", true},
	{"/etc/NetworkManager/dispatcher.d/pre-up.d", snapshot.LeverProgram, snapshot.TriggerRestart, "NetworkManager", true},
	{"/etc/NetworkManager/dispatcher.d/pre-down.d", snapshot.LeverProgram, snapshot.TriggerRestart, "NetworkManager", true},
	{"/etc/networkd-dispatcher", snapshot.LeverProgram, snapshot.TriggerRestart, "networkd-dispatcher", true},
	{"/etc/dhcp/dhclient-enter-hooks.d", snapshot.LeverProgram, snapshot.TriggerTimer, "dhclient", true},
	{"/etc/dhcp/dhclient-exit-hooks.d", snapshot.LeverProgram, snapshot.TriggerTimer, "dhclient", true},
	{"/etc/ppp/ip-up.d", snapshot.LeverProgram, snapshot.TriggerRestart, "pppd", true},
	{"/etc/init.d", snapshot.LeverProgram, snapshot.TriggerRestart, "init", true},
	{"/etc/rc.local", snapshot.LeverProgram, snapshot.TriggerRestart, "init", false},
	{"/etc/rc0.d", snapshot.LeverSystem, snapshot.TriggerRestart, "init", false},
	{"/etc/rc2.d", snapshot.LeverSystem, snapshot.TriggerRestart, "init", false},
	{"/etc/rc3.d", snapshot.LeverSystem, snapshot.TriggerRestart, "init", false},
	{"/etc/rc5.d", snapshot.LeverSystem, snapshot.TriggerRestart, "init", false},
	{"/etc/rc6.d", snapshot.LeverSystem, snapshot.TriggerRestart, "init", false},
	{"/etc/rcS.d", snapshot.LeverSystem, snapshot.TriggerRestart, "init", false},
	{"/etc/local.d", snapshot.LeverProgram, snapshot.TriggerRestart, "init", true},
	{"/etc/sv", snapshot.LeverProgram, snapshot.TriggerRestart, "runit", true},
	{"/etc/service", snapshot.LeverProgram, snapshot.TriggerNone, "runit", true},
	{"/etc/supervisor", snapshot.LeverSystem, snapshot.TriggerRestart, "supervisord", true},
	{"/etc/supervisor/conf.d", snapshot.LeverSystem, snapshot.TriggerRestart, "supervisord", true},
	{"/etc/supervisord.d", snapshot.LeverSystem, snapshot.TriggerRestart, "supervisord", true},
	{"/etc/monit", snapshot.LeverSystem, snapshot.TriggerRestart, "monit", true},
	{"/etc/inetd.conf", snapshot.LeverSystem, snapshot.TriggerRestart, "inetd", false},
	{"/etc/xinetd.d", snapshot.LeverSystem, snapshot.TriggerRestart, "xinetd", true},
	{"/etc/wireguard", snapshot.LeverSystem, snapshot.TriggerRestart, "wg-quick", true},
	{"/etc/openvpn", snapshot.LeverSystem, snapshot.TriggerRestart, "openvpn", true},
	{"/etc/letsencrypt/renewal-hooks/deploy", snapshot.LeverProgram, snapshot.TriggerTimer, "certbot", true},
	{"/etc/letsencrypt/renewal", snapshot.LeverSystem, snapshot.TriggerTimer, "certbot", true},
	{"/etc/kubernetes/manifests", snapshot.LeverSystem, snapshot.TriggerNone, "the kubelet", true},
	{"/etc/rsyslog.conf", snapshot.LeverSystem, snapshot.TriggerRestart, "rsyslogd", false},
	{"/etc/rsyslog.d", snapshot.LeverSystem, snapshot.TriggerRestart, "rsyslogd", true},
	{"/usr/lib/NetworkManager/dispatcher.d", snapshot.LeverProgram, snapshot.TriggerRestart, "NetworkManager", true},
	{"/etc/dbus-1/system.d", snapshot.LeverSystem, snapshot.TriggerRestart, "D-Bus", true},
	{"/usr/share/dbus-1/system.d", snapshot.LeverSystem, snapshot.TriggerRestart, "D-Bus", true},
	{"/etc/ssl/openssl.cnf", snapshot.LeverSystem, snapshot.TriggerRestart, "OpenSSL", false},
	{"/etc/bash_completion.d", snapshot.LeverLogin, snapshot.TriggerLogin, "somebody", true},
	{"/etc/zsh", snapshot.LeverLogin, snapshot.TriggerLogin, "somebody", true},
	{"/etc/csh.cshrc", snapshot.LeverLogin, snapshot.TriggerLogin, "somebody", false},
	{"/etc/vim/vimrc", snapshot.LeverSystem, snapshot.TriggerOperator, "vim", false},
	{"/etc/gitconfig", snapshot.LeverSystem, snapshot.TriggerOperator, "git", false},
	{"/etc/default", snapshot.LeverSystem, snapshot.TriggerRestart, "scripts of init and cron", false},
	{"/etc/inittab", snapshot.LeverSystem, snapshot.TriggerRestart, "init", false},
	{"/boot", snapshot.LeverSystem, snapshot.TriggerRestart, "the boot loader", true},
	{"/etc/grub.d", snapshot.LeverProgram, snapshot.TriggerOperator, "update-grub", true},
	{"/etc/default/grub", snapshot.LeverSystem, snapshot.TriggerOperator, "the boot loader", false},
	{"/lib/modules", snapshot.LeverSystem, snapshot.TriggerRestart, "the kernel", true},

	{"/usr/local/sbin", snapshot.LeverSearch, snapshot.TriggerTimer, "programs of root", true},
	{"/usr/local/bin", snapshot.LeverSearch, snapshot.TriggerTimer, "programs of root", true},
	{"/usr/sbin", snapshot.LeverSearch, snapshot.TriggerTimer, "programs of root", false},
	{"/usr/bin", snapshot.LeverSearch, snapshot.TriggerTimer, "programs of root", false},
	{"/sbin", snapshot.LeverSearch, snapshot.TriggerTimer, "programs of root", false},
	{"/bin", snapshot.LeverSearch, snapshot.TriggerTimer, "programs of root", false},
	{"/usr/local/lib", snapshot.LeverSearch, snapshot.TriggerTimer, "libraries", false},
	{"/usr/lib", snapshot.LeverSearch, snapshot.TriggerTimer, "libraries", false},
	{"/lib", snapshot.LeverSearch, snapshot.TriggerTimer, "libraries", false},
	{"/usr/lib/x86_64-linux-gnu", snapshot.LeverSearch, snapshot.TriggerTimer, "libraries", false},
	{"/usr/lib/aarch64-linux-gnu", snapshot.LeverSearch, snapshot.TriggerTimer, "libraries", false},
	{"/lib64", snapshot.LeverSearch, snapshot.TriggerTimer, "libraries", false},
	{"/usr/lib64", snapshot.LeverSearch, snapshot.TriggerTimer, "libraries", false},
	{"/etc/alternatives", snapshot.LeverSearch, snapshot.TriggerTimer, "programs of root", true},
	{"/usr/lib/security", snapshot.LeverSearch, snapshot.TriggerNone, "modules of PAM", true},
	{"/usr/lib64/security", snapshot.LeverSearch, snapshot.TriggerNone, "modules of PAM", true},
	{"/usr/lib/x86_64-linux-gnu/security", snapshot.LeverSearch, snapshot.TriggerNone, "modules of PAM", true},
	{"/usr/lib/aarch64-linux-gnu/security", snapshot.LeverSearch, snapshot.TriggerNone, "modules of PAM", true},
	{"/usr/libexec/sudo", snapshot.LeverSearch, snapshot.TriggerNone, "modules of sudo", true},
	{"/usr/lib/sudo", snapshot.LeverSearch, snapshot.TriggerNone, "modules of sudo", true},

	{"/etc/nftables.conf", snapshot.LeverFilter, snapshot.TriggerRestart, "nftables.service", false},
	{"/etc/nftables.d", snapshot.LeverFilter, snapshot.TriggerRestart, "nftables.service", true},
	{"/etc/sysconfig/nftables.conf", snapshot.LeverFilter, snapshot.TriggerRestart, "nftables.service", false},
	{"/etc/iptables", snapshot.LeverFilter, snapshot.TriggerRestart, "netfilter-persistent", true},
	{"/etc/ufw", snapshot.LeverFilter, snapshot.TriggerRestart, "ufw", true},
	{"/etc/firewalld", snapshot.LeverFilter, snapshot.TriggerRestart, "firewalld", true},
	{"/etc/firewalld/zones", snapshot.LeverFilter, snapshot.TriggerRestart, "firewalld", true},
	{"/etc/docker/daemon.json", snapshot.LeverSystem, snapshot.TriggerRestart, "dockerd", false},
	{"/etc/containerd/config.toml", snapshot.LeverSystem, snapshot.TriggerRestart, "containerd", false},
	{"/etc/cni/net.d", snapshot.LeverSystem, snapshot.TriggerNone, "network plugins", true},
}

// system adds the places of the system.
func (l *levers) system() {
	for _, p := range slices.Concat(places, spread(spreadPlaces)) {
		f := snapshot.LeverFile{Path: p.path, Kind: p.kind, By: p.by, Trigger: p.trigger}
		if p.kind == snapshot.LeverSearch {
			if _, err := l.s.Host.Lstat(p.path); err != nil {
				continue // one that is not there is not searched
			}
		}
		switch {
		case p.tree:
			l.tree(p.path, f)
		default:
			switch l.add(f); {
			case p.kind == snapshot.LeverLogin:
				l.loginScript(f)
			case p.kind == snapshot.LeverProgram && l.w.part(p.path).st.Perm&0o111 != 0:
				l.follow(f, runsHere{dir: "/"})
			}
		}
	}
}

// loader adds the directories in which the loader looks for libraries, by its settings (ldconfig(8)).
func (l *levers) loader(file string, seen map[string]bool) {
	a, st, err := l.s.Host.Author(file)
	if err != nil || st.Size > maxScript || !a.Root() || seen[file] || len(seen) == maxInDir {
		return // whoever decides of it is listed
	}
	seen[file] = true
	b, err := l.s.Host.ReadFile(file)
	if err != nil && !gone(err) {
		l.out.partialIn("files", "%s: %v", file, err)
	}
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if pattern, ok := strings.CutPrefix(line, "include "); ok {
			for _, f := range l.glob(below("/etc", strings.TrimSpace(pattern))) {
				l.loader(f, seen)
			}
			continue
		}
		if path.IsAbs(line) {
			l.search(line, "libraries of ", snapshot.LeverFile{By: "the loader", Trigger: snapshot.TriggerOperator})
		}
	}
}
