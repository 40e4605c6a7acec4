//go:build linux && !ringfence_portable

// Package checks holds the collectors. Each is a value in the list below: it sees one subject and
// writes one section of the snapshot. Collectors run side by side; one that fails, hangs or panics
// becomes the status of its own section and takes no other down. docs/collectors.md lists them.
//
// A check, as users and "ringfence checks" say it, is a policy: it judges, and is in rego/policies (docs/checks.md).
//
// Collectors see and do not judge. What could not be read is said (partial, denied, error), never
// left out in silence.
package checks

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sort"
	"sync"
	"syscall"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// Collector sees one subject.
type Collector struct {
	Name    string // of the section of the snapshot
	Doc     string // its subject
	Needs   string // the privilege that shows everything
	Reads   string // where its facts come from
	Word    string // whose word they are (snapshot.Word)
	Collect func(context.Context, *Scan, *snapshot.Snapshot) *Outcome
	merge   func(dst, src *snapshot.Snapshot)
}

// Collectors lists them all, by name. docs/collectors.md is made of it.
func Collectors() []Collector {
	return []Collector{
		{
			Name: "agents", Doc: "agent and model runtimes and their configuration",
			Needs:   "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
			Reads:   "programs and arguments of processes, the configuration files that they name, packages",
			Word:    "of a configuration, who can write its file; of a name, who can write the program",
			Collect: collectAgents, merge: func(d, s *snapshot.Snapshot) { d.Agents = s.Agents },
		},
		{
			Name: "ipmi", Doc: "the baseboard management controller and its device files",
			Needs:   "access to /dev/ipmi0",
			Reads:   "/dev/ipmi*, and the controller's answers by ioctl(2)",
			Word:    "the kernel's; of what the controller says, the controller's",
			Collect: collectIPMI, merge: func(d, s *snapshot.Snapshot) { d.IPMI = s.IPMI },
		},
		{
			Name: "kernel", Doc: "evidence that the host is hardened and immutable",
			Needs:   "root",
			Reads:   "/proc/sys, /proc/cmdline, /sys, mounts, the audit subsystem",
			Word:    "the kernel's",
			Collect: collectKernel, merge: func(d, s *snapshot.Snapshot) { d.Kernel = s.Kernel },
		},
		{
			Name: "listeners", Doc: "listening and bound sockets of every network namespace",
			Needs:   "CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN and CAP_NET_ADMIN",
			Reads:   "sock_diag(7) in each network namespace; who holds a socket, by the links in /proc/PID/fd; cgroups, and by bpf(2) their programs and the maps of those of systemd",
			Word:    "the kernel's",
			Collect: collectListeners, merge: func(d, s *snapshot.Snapshot) { d.Listeners = s.Listeners },
		},
		{
			Name: "management", Doc: "programs by which the host or its cluster is managed, besides SSH and runtimes",
			Needs:   "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
			Reads:   "programs and arguments of processes, the configuration files that they name",
			Word:    "of what a program is, who can write it; of a setting, who can write its file",
			Collect: collectManagement, merge: func(d, s *snapshot.Snapshot) { d.Management = s.Management },
		},
		{
			Name: "namespaces", Doc: "links, routes and packet filters of other network namespaces",
			Needs:   "CAP_SYS_ADMIN and CAP_SYS_PTRACE",
			Reads:   "rtnetlink(7) and nfnetlink in each network namespace",
			Word:    "the kernel's; what is loaded there is its owner's, and about its own sockets",
			Collect: collectElsewhere, merge: func(d, s *snapshot.Snapshot) { d.Namespaces = s.Namespaces },
		},
		{
			Name: "network", Doc: "links, addresses, routes, policy rules and sysctls",
			Needs:   "CAP_SYS_ADMIN and CAP_SYS_PTRACE",
			Reads:   "rtnetlink(7), conntrack, /proc/sys/net, /etc/resolv.conf and what it leads to",
			Word:    "the kernel's; of the resolvers, root's",
			Collect: collectNetwork, merge: func(d, s *snapshot.Snapshot) { d.Network = s.Network },
		},
		{
			Name: "nftables", Doc: "the live packet filter",
			Needs:   "CAP_NET_ADMIN",
			Reads:   "nf_tables and ipset by nfnetlink, /proc/net/*_tables_names, tables of iptables-legacy by getsockopt",
			Word:    "the kernel's",
			Collect: collectNFTables, merge: func(d, s *snapshot.Snapshot) { d.NFTables = s.NFTables },
		},
		{
			Name: "powers", Doc: "files, programs and rules by which somebody becomes more than they are",
			Needs:   "root",
			Reads:   "permissions of what root runs and reads, and of every directory on the way; units, cron, set-id programs, policies of D-Bus, mountinfo(5), cvtsudoers(1)",
			Word:    "the kernel's of permissions; of what is run, root's",
			Collect: collectPowers, merge: func(d, s *snapshot.Snapshot) { d.Powers = s.Powers },
		},
		{
			Name: "processes", Doc: "capabilities, namespaces and confinement of processes",
			Needs:   "CAP_SYS_PTRACE",
			Reads:   "/proc/PID/status, /proc/PID/ns and the rest of /proc/PID, of each thread that differs; cgroups",
			Word:    "the kernel's; of a unit or a container, the owner of the cgroup",
			Collect: collectProcesses, merge: func(d, s *snapshot.Snapshot) { d.Processes = s.Processes },
		},
		{
			Name: "runtimes", Doc: "control sockets of runtimes, containers and virtual machines",
			Needs:   "root",
			Reads:   "socket files, the OCI specification and state of containers, mounts of their processes, files of libvirt and Proxmox",
			Word:    "the kernel's of mounts; of a specification, who can write its files",
			Collect: collectRuntimes, merge: func(d, s *snapshot.Snapshot) { d.Runtimes = s.Runtimes },
		},
		{
			Name: "ssh", Doc: "SSH servers and their effective configuration",
			Needs:   "root",
			Reads:   "sshd_config(5) and what it includes; sshd -T, for root's server and root's files",
			Word:    "who can write any of the files",
			Collect: collectSSH, merge: func(d, s *snapshot.Snapshot) { d.SSH = s.SSH },
		},
		{
			Name: "system", Doc: "accounts and consoles that are open, secrets that others read, the clock, versions, the packet filter at boot",
			Needs:   "root",
			Reads:   "owners and modes of files, units, what nft makes of the file at boot, /etc/passwd, /etc/shadow, the database of packages, adjtimex(2)",
			Word:    "the kernel's of owners and modes; of what files say, root's",
			Collect: collectSystem, merge: func(d, s *snapshot.Snapshot) { d.System = s.System },
		},
		{
			Name: "winrm", Doc: "WinRM and OMI servers",
			Needs:   "root",
			Reads:   "omiserver.conf, packages",
			Word:    "root's",
			Collect: collectWinRM, merge: func(d, s *snapshot.Snapshot) { d.WinRM = s.WinRM },
		},
	}
}

// Outcome is how well a collector could see. The zero Outcome is ok.
type Outcome struct {
	status  snapshot.Status
	reasons []string
	parts   map[string]bool // with gaps
	whole   bool            // a gap is in no single part
}

// rank orders the states from good to bad; the worst one wins.
var rank = map[snapshot.Status]int{
	"": 0, snapshot.OK: 0, snapshot.Absent: 1, snapshot.Partial: 2, snapshot.Denied: 3, snapshot.Error: 4,
}

func (o *Outcome) worse(status snapshot.Status, format string, args ...any) {
	if rank[status] > rank[o.status] {
		o.status = status
	}
	reason := fmt.Sprintf(format, args...)
	if slices.Contains(o.reasons, reason) {
		return
	}
	o.reasons = append(o.reasons, reason)
}

// partial notes a gap in the section as a whole.
func (o *Outcome) partial(format string, args ...any) {
	o.whole = true
	o.worse(snapshot.Partial, format, args...)
}

// partialIn notes a gap in one part of the section; the other parts are complete.
func (o *Outcome) partialIn(part, format string, args ...any) {
	if o.parts == nil {
		o.parts = map[string]bool{}
	}
	o.parts[part] = true
	o.worse(snapshot.Partial, format, args...)
}

// fail makes the whole section unseen, denied or error by the kind of err.
func (o *Outcome) fail(what string, err error) {
	status := snapshot.Error
	if denied(err) {
		status = snapshot.Denied
	}
	o.worse(status, "%s: %v", what, err)
}

func denied(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EPERM) ||
		errors.Is(err, syscall.EACCES)
}

// byPID finds processes by their number. Callers do not change the map.
func (s *Scan) byPID() map[int]*process {
	s.pidOnce.Do(func() {
		procs, _ := s.processes()
		s.pids = make(map[int]*process, len(procs))
		for _, p := range procs {
			s.pids[p.PID] = p
		}
	})
	return s.pids
}

// gone says that the process or file went away while it was read, which is no loss.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}

// Scan is one pass over one host. It holds what several collectors need, read once.
type Scan struct {
	Host *host.Host
	deep bool   // see Options
	root string // of Options

	sudoOnce  sync.Once
	sudoRules []snapshot.SudoRule
	sudoRead  snapshot.Fact

	procs     sync.Once
	procList  []*process
	procErr   error
	procGap   string         // why the list is not whole
	procLost  string         // why a process could not be read
	threadsOf map[string]int // threads of a party that were looked at
	groupsOf  *cgroups
	programs  map[programKey]snapshot.Word
	units     units

	sockets sync.Once
	inodes  map[uint64][]int  // socket inode -> pids
	fds     map[uint64]string // socket inode -> a descriptor that refers to it
	fdErr   int               // processes whose descriptors were refused
	nsFDs   map[int][]int     // descriptors of network namespaces by pid
	devices map[int][]string  // sensitive devices that a process of a container holds open
	tunnels map[int][]string  // interfaces whose other end a process is
	cutFDs  map[int]bool      // processes whose descriptors were not all seen
	sockFDs map[int][]int     // a descriptor of each socket, under the first process that has it

	// beside are the programs at hooks of netfilter, of all namespaces.
	beside     []snapshot.Program
	besideErr  error
	besideOnce sync.Once
	boundOnce  sync.Once
	bound      map[int]int // how wide a process listens
	boundErr   error

	netnsOnce sync.Once
	netnsList []foundNetns
	netnsGaps []string
	mountGaps []string
	kept      []*os.File // that lead to namespaces which nothing else leads to

	// configs are configurations of OpenClaw by their digest. Only the collector of agents has them.
	configs map[[sha256.Size]byte]decoded
	pidOnce sync.Once
	pids    map[int]*process

	loadRuleset func(context.Context, RulesetText) (*ruleset.Ruleset, error)

	labelled bool // a security module gives labels

	init    sync.Once
	initNSs snapshot.NS

	accountsOnce sync.Once
	accounts     accounts

	dropInOnce sync.Once
	dropInOf   map[string][]string // see dropInDirs

	programTime, mountTime, netnsTime purse
	mountOwners                       mountOwners

	mu       sync.Mutex
	hung     map[string]int // how often a party did not answer
	waited   time.Duration  // for all of them
	redacted int            // secrets that were seen and not kept
}

func newScan(h *host.Host) *Scan {
	s := &Scan{
		Host: h, configs: map[[sha256.Size]byte]decoded{}, programs: map[programKey]snapshot.Word{}, hung: map[string]int{},
		threadsOf: map[string]int{}, units: units{asked: map[string]unitAnswer{}},
	}
	s.groupsOf = s.newCgroups()
	return s
}

// Options of Collect.
type Options struct {
	Deadline time.Duration // of each collector
	Now      func() time.Time
	Progress func(collector string) // called as each one ends
	Version  string
	Only     []string // names of collectors; empty: all of them
	Deep     bool     // programs with other powers are looked for on all file systems
	// LoadRuleset is how the file of a packet filter is read (ReadRulesetText); nil: it is not.
	LoadRuleset func(context.Context, RulesetText) (*ruleset.Ruleset, error)

	// Note is told each path of the host that is looked at, if it is looked at from here; nil: it is not told.
	Note func(path string)

	root string // by which the files of the host are reached, if it is none of this process's own
}

// Collect runs all collectors and never fails: what went wrong is in the coverage.
func Collect(ctx context.Context, h *host.Host, opt Options) *snapshot.Snapshot {
	scan := newScan(h)
	scan.deep, scan.loadRuleset, scan.root = opt.Deep, opt.LoadRuleset, opt.root
	snap := &snapshot.Snapshot{
		Schema: snapshot.Schema, Tool: snapshot.Tool{Name: "ringfence", Version: opt.Version},
		CollectedAt: opt.Now().UTC().Format(time.RFC3339), Host: collectHost(ctx, scan),
	}
	type done struct {
		c        Collector
		scratch  *snapshot.Snapshot
		coverage snapshot.Coverage
	}
	list := Collectors()
	if len(opt.Only) > 0 {
		list = slices.DeleteFunc(list, func(c Collector) bool { return !slices.Contains(opt.Only, c.Name) })
	}
	results := make(chan done, len(list))
	for _, c := range list {
		go func() {
			scratch, cov := run(ctx, c, scan, opt.Deadline)
			results <- done{c, scratch, cov}
		}()
	}
	for range list {
		d := <-results
		if d.scratch != nil {
			d.c.merge(snap, d.scratch)
		}
		snap.Coverage = append(snap.Coverage, d.coverage)
		if opt.Progress != nil {
			opt.Progress(d.c.Name)
		}
	}
	sort.Slice(snap.Coverage, func(i, j int) bool {
		return snap.Coverage[i].Collector < snap.Coverage[j].Collector
	})
	for _, f := range scan.kept {
		f.Close()
	}
	scan.mu.Lock()
	snap.Redacted = scan.redacted
	scan.mu.Unlock()
	snap.Index()
	return snap
}

// run gives the collector a snapshot of its own. Its context ends before the deadline does, and a collector that looks at it returns
// what it has with what it lacks. One that is past its deadline (a hung file system cannot be interrupted) is left behind
// and can no longer write anything that is read.
func run(ctx context.Context, c Collector, scan *Scan, limit time.Duration,
) (*snapshot.Snapshot, snapshot.Coverage) {
	start := time.Now()
	stopped := ctx.Done()
	ctx, cancel := context.WithTimeout(ctx, limit-limit/8)
	defer cancel()
	late := time.NewTimer(limit)
	defer late.Stop()
	scratch := new(snapshot.Snapshot)
	ended := make(chan *Outcome, 1)
	go func(scratch *snapshot.Snapshot) {
		defer func() {
			if r := recover(); r != nil {
				out := new(Outcome)
				out.worse(snapshot.Error, "collector stopped: %v", r)
				ended <- out
			}
		}()
		ended <- c.Collect(ctx, scan, scratch)
	}(scratch)
	cov := snapshot.Coverage{Collector: c.Name}
	select {
	case out := <-ended:
		cov.Status, cov.Reasons = out.status, out.reasons
		if cov.Status == "" {
			cov.Status = snapshot.OK
		}
		if !out.whole {
			cov.Parts = sortedKeys(out.parts)
		}
	case <-late.C:
		scratch = nil
		cov.Status, cov.Reasons = snapshot.Error, []string{"no answer within " + limit.String()}
	case <-stopped:
		scratch = nil
		cov.Status, cov.Reasons = snapshot.Error, []string{"it was stopped"}
	}
	sort.Strings(cov.Reasons)
	cov.Millis = time.Since(start).Milliseconds()
	return scratch, cov
}

// fact reads a small file as a fact; trailing white space is cut.
func (s *Scan) fact(path string) snapshot.Fact {
	b, err := s.Host.ReadFile(path)
	return toFact(string(b), err)
}
