//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/snapshot"
)

// collectListeners lists sockets by sock_diag in every network namespace that can be entered, and
// joins them with the processes that hold them.
func collectListeners(ctx context.Context, s *Scan, snap *snapshot.Snapshot) *Outcome {
	out := new(Outcome)
	if !s.Host.Live() {
		out.worse(snapshot.Error, "sockets can only be listed on a live host")
		return out
	}
	sec := &snap.Listeners
	own := s.namespaces("thread-self").Net
	end, limited := ctx.Deadline()
	late, shares := 0, newSocketShares(own)
	lister := socketLister{s: s, keep: shares.keep}
	found := s.netns()
	read := func(ns *foundNetns, enter func(*os.File) error) {
		if ctx.Err() != nil || limited && ns.Inode != own && time.Until(end) < time.Second {
			late++
			return
		}
		if err := s.goInto(ns, enter); err != nil {
			if !gone(err) {
				out.partialIn("namespaces", "sockets of network namespace %d: %v (needs CAP_SYS_ADMIN and "+
					"CAP_SYS_PTRACE)", ns.Inode, err)
			}
			return
		}
		socks, fams := lister.list(ns)
		sec.Sockets = append(sec.Sockets, socks...)
		sec.Families = append(sec.Families, fams...)
		for _, fam := range fams {
			if fam.State == snapshot.Error || fam.State == snapshot.Denied {
				out.partialIn(partOf(fam.Proto), "%s sockets: %s", fam.Proto, fam.Reason)
			}
			if fam.Proto == "vsock" && fam.State == snapshot.Error && ns.Inode == own {
				sec.Sockets = append(sec.Sockets, s.vsockHolders(own, socks)...)
			}
		}
	}
	s.Host.Visit(func(enter func(*os.File) error) {
		for i := range found {
			read(&found[i], enter)
		}
	})
	shares.gaps(out)
	if late > 0 {
		out.partialIn("namespaces", "no time was left to list the sockets of %s", count(late, "network namespace", "network namespaces"))
	}
	if n := s.namespacesHidden(); n > 0 {
		out.partialIn("namespaces", "%s may be in a network namespace that was not found (needs CAP_SYS_PTRACE)",
			count(n, "process", "processes"))
	}
	for _, gap := range s.netnsGaps {
		out.partialIn("namespaces", "%s", gap)
	}
	if s.procGap != "" {
		out.partialIn("owners", "owners of sockets are not all seen: %s", s.procGap)
	}
	s.joinOwners(sec, out)
	slices.SortFunc(sec.Sockets, func(a, b snapshot.Socket) int {
		return cmp.Or(cmp.Compare(a.Netns, b.Netns), cmp.Compare(a.Proto, b.Proto),
			cmp.Compare(a.Family, b.Family), cmp.Compare(a.Port, b.Port),
			cmp.Compare(a.Addr, b.Addr), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Inode, b.Inode))
	})
	return out
}

// namespacesHidden counts the processes whose network namespace is not known. Process 1 is in the
// host's by definition.
func (s *Scan) namespacesHidden() int {
	procs, _ := s.processes()
	n := 0
	for _, p := range procs {
		if p.NS.Net == 0 && p.PID != 1 {
			n++
		}
	}
	return n
}

// partOf names the part of the section that a kind of socket belongs to.
func partOf(proto string) string {
	switch proto {
	case "unix", "vsock", "packet":
		return proto
	case "raw", "raw6":
		return "raw"
	}
	return "ip"
}

// deviceNames names interfaces by index in the namespace of the thread. Names are asked for only when the first
// bound socket is seen.
func (s *Scan) deviceNames() func(int) string {
	var names map[int]string
	return func(index int) string {
		if names == nil {
			names = map[int]string{}
			if h, err := s.Host.Route(); err == nil {
				links, _ := h.LinkList()
				for _, l := range links {
					names[l.Attrs().Index] = l.Attrs().Name
				}
				h.Close()
			}
		}
		if n, ok := names[index]; ok {
			return n
		}
		return "index " + strconv.Itoa(index)
	}
}

// joinOwners adds the owners. A socket that no descriptor refers to is held by a process whom we may not look at, by the kernel, or
// by whoever will take it out of a message that it was sent in (SCM_RIGHTS, unix(7)), out of io_uring or of a map of a BPF
// program: that nobody was seen does not say that nobody has it. The kernel is the owner where it says so itself.
func (s *Scan) joinOwners(sec *snapshot.Listeners, out *Outcome) {
	inodes, refused := s.socketOwners()
	procs, err := s.processes()
	if err != nil {
		out.partial("owners of sockets: %v", err)
	}
	comm, relays, netns := map[int]string{}, map[int]*snapshot.Relay{}, map[int]uint64{}
	for _, p := range procs {
		comm[p.PID] = p.Comm
		if r := s.relayOf(p); r != nil {
			relays[p.PID], netns[p.PID] = r, p.NS.Net
		}
	}
	served, unknown := s.kernelServes(), 0
	programs := s.cgroupPrograms()
	defer programs.close()
	for i := range sec.Sockets {
		sk := &sec.Sockets[i]
		sk.Programs = programs.of(sk.Cgroup)
		sk.OwnerState = snapshot.OwnersSeen
		for _, pid := range inodes[sk.Inode] {
			sk.Owners = append(sk.Owners, snapshot.Owner{PID: pid, Comm: comm[pid]})
			if r := relays[pid]; r != nil {
				sk.Relay = from(r, netns[pid], sk.Netns)
			}
		}
		switch {
		case len(sk.Owners) > 0:
		case sk.UID == 0 && sk.Netns == served.netns && served.ports[fmt.Sprintf("%s %d", sk.Proto, sk.Port)]:
			sk.OwnerState = snapshot.OwnersKernel
		default:
			sk.OwnerState = snapshot.OwnersUnknown
			unknown++
		}
	}
	leadToGuests(sec, procs, out)
	for _, p := range procs {
		if p.NS.Net == served.netns {
			programs.at(p.CgroupV2())
		}
	}
	programs.at("/") // of which every process has what is there
	if sec.Cgroups = programs.all(); programs.lost {
		sec.CgroupsUnread = "the hierarchy of cgroups cannot be opened"
	}
	switch {
	case unknown == 0:
	case refused > 0 || err != nil || s.procGap != "":
		out.partialIn("owners", "%s an owner that could not be seen (%s refused)",
			count(unknown, "socket has", "sockets have"), count(refused, "process", "processes"))
	default:
		out.partialIn("owners", "no process has %s open: the kernel holds them, or they are in a message that was not taken yet",
			count(unknown, "socket", "sockets"))
	}
}

// kernelPorts are ports that the kernel itself serves in a network namespace, as "tcp 2049".
type kernelPorts struct {
	netns uint64
	ports map[string]bool
}

// kernelServes reads what the kernel's NFS server listens on in our own network namespace (nfsd(7), portlist).
func (s *Scan) kernelServes() kernelPorts {
	k := kernelPorts{netns: s.namespaces("thread-self").Net, ports: map[string]bool{}}
	b, err := s.Host.ReadFile("/proc/fs/nfsd/portlist")
	if err != nil {
		return k
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 2 {
			k.ports[f[0]+" "+f[1]] = true
		}
	}
	return k
}
