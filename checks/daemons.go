//go:build linux && !ringfence_portable

package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

var errNoTime = errors.New("there was no time to read it")

// daemonTLS reads where daemons have their interfaces on TCP, and whether they ask for client certificates. What a process says of itself is
// about its own sockets; whose word it is goes with it.
func (s *Scan) daemonTLS(ctx context.Context, out *Outcome, sockets []snapshot.ControlSocket) []snapshot.DaemonTLS {
	var list []snapshot.DaemonTLS
	procs, _ := s.processes()
	clock := newClock()
	for _, p := range s.hostFirst(procs) {
		read := apis[p.exeBase()]
		if proxy := socketProxies[p.exeBase()]; proxy != nil {
			read = func(s *Scan, p *process) []daemonAPI { return proxy(s, p, leadsOf(sockets, p.Container)) }
		}
		if read == nil || p.Leader != 0 {
			continue
		}
		found := []daemonAPI{{source: "arguments", err: errNoTime}}
		if party, start := s.party(p), time.Now(); ctx.Err() == nil && clock.has(party) {
			found = read(s, p)
			clock.charge(party, start)
		}
		for _, d := range found {
			t := d.fact(p)
			if p.exeBase() == "dockerd" {
				t.Args, t.Runs = plainArgs(p), s.runs(ctx, p)
			}
			list = append(list, t)
		}
	}
	list = append(list, s.heldAPIs(out)...)
	slices.SortStableFunc(list, func(a, b snapshot.DaemonTLS) int { return a.PID - b.PID })
	return list
}

// plainOptions are the options of dockerd that can hold no secret.
var plainOptions = []string{
	"-H", "--host", "-D", "--debug", "-l", "--log-level", "--containerd", "--config-file", "--data-root", "--exec-root", "-p", "--pidfile",
	"-G", "--group", "--tls", "--tlsverify", "--tlscacert", "--tlscert", "--tlskey", "--iptables", "--ip6tables", "--ip-forward",
	"--ip-masq", "--userland-proxy", "--live-restore", "-b", "--bridge", "--bip", "--mtu", "--storage-driver", "-s", "--icc",
	"--selinux-enabled", "--userns-remap", "--default-runtime", "--exec-opt", "--cgroup-parent", "--experimental", "--ipv6",
	"--no-new-privileges", "--init", "--default-cgroupns-mode", "--default-ulimit", "--metrics-addr", "--raw-logs", "--validate",
}

// plainArgs is the command line of a daemon with the path of its program first; nil if an option could hold a secret, or
// if there is more than was read.
func plainArgs(p *process) []string {
	if p.cut || len(p.argv) == 0 {
		return nil
	}
	value := false // the argument is the value of the option before it
	for _, a := range p.argv[1:] {
		name, _, given := strings.Cut(a, "=")
		switch {
		case strings.HasPrefix(a, "-"):
			if strings.HasPrefix(a, "-Htcp://") || strings.HasPrefix(a, "-Hunix://") || strings.HasPrefix(a, "-Hfd://") {
				name, given = "-H", true
			}
			if !slices.Contains(plainOptions, name) {
				return nil
			}
			value = !given
		case !value:
			return nil
		default:
			value = false
		}
		if strings.Contains(a, "@") { // user information in an address
			return nil
		}
	}
	return append([]string{p.Exe}, p.argv[1:]...)
}

// readNamed is Host.ReadNamed with the patience that its namer has left.
func (s *Scan) readNamed(p *process, file string) ([]byte, host.Stat, error) {
	type named struct {
		b  []byte
		st host.Stat
	}
	n, err := patient(s, s.party(p), func() (n named, err error) {
		n.b, n.st, err = s.Host.ReadNamed(p.principal(), file)
		return n, err
	})
	if errors.Is(err, errSilent) {
		err = fmt.Errorf("read %s: %w", file, err)
	}
	return n.b, n.st, err
}

// principal is who chose the files that the process names.
func (p *process) principal() *host.Principal {
	if p.setID { // whoever started it is not whom it runs as
		return &host.Principal{PID: p.PID, UID: -1, GID: -1}
	}
	return &host.Principal{PID: p.PID, UID: p.UID, GID: p.GID, Groups: p.Groups}
}

// hasFlag says whether an option is given, and is not switched off; the last counts.
func hasFlag(argv []string, flag string) (on bool) {
	for _, a := range argv {
		value, given := strings.CutPrefix(a, flag+"=")
		if a == flag || given {
			b, err := strconv.ParseBool(value)
			on = !given || err != nil || b
		}
	}
	return on
}
