//go:build linux && !ringfence_portable

package checks

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// collectProcesses reads /proc/PID/status, ns, cgroup and attr (proc(5), capabilities(7)).
func collectProcesses(ctx context.Context, s *Scan, snap *snapshot.Snapshot) *Outcome {
	out := new(Outcome)
	procs, err := s.processes()
	if err != nil {
		out.fail("list processes", err)
		return out
	}
	sec := &snap.Processes
	sec.Init = s.initNS()
	sec.LastCap = atoi(s.fact("/proc/sys/kernel/cap_last_cap").Value)
	sec.CapBnd = s.boundingSet()
	owners := s.netOwners(procs, out)
	refused, nameless := 0, 0
	var peers map[int][]snapshot.Peer
	for _, p := range procs {
		v := p.Process
		v.NetOwner = owners[v.NS.Net]
		if v.Tunnels = s.tunnelsOf(p.PID); len(v.Tunnels) > 0 {
			if peers == nil {
				peers = s.connectedUDP(out)
			}
			v.Peers = peers[p.PID]
		}
		var whole bool
		if v.Devices, whole = s.openDevices(p); !whole {
			out.partialIn("devices", "the open files of %s are not all seen", s.placeName(p))
		}
		if p.lacksGroups() {
			out.partialIn("groups", "%s has more groups than are kept", s.placeName(p))
		}
		switch lost := slices.DeleteFunc(slices.Clone(v.Unread), func(u string) bool { return u == unreadGroups }); {
		case len(lost) == 0:
		case !slices.ContainsFunc(lost, func(u string) bool { return u != "exe" && u != "cmdline" }), v.PID == 1, v.Leader == 1:
			// Its power is known. Process 1 is the host itself by definition, whatever its namespaces are.
			nameless++
		default:
			refused++
		}
		sec.List = append(sec.List, v)
	}
	s.findSetUID(sec.List)
	if refused > 0 {
		out.partial("%s not be read whole (needs CAP_SYS_PTRACE, or another security module refuses)",
			count(refused, "process could", "processes could"))
	}
	if nameless > 0 {
		out.partialIn("programs", "the program file of %s not be read",
			count(nameless, "process could", "processes could"))
	}
	s.tableGap(out)
	sec.Shared = s.sharedMemory(ctx, procs, out)
	s.findSecrets(sec)
	return out
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// boundingSet is the widest set that any process of the host can have: that of process 1, or our
// own. A virtual machine's supervisor can have taken capabilities from all of it.
func (s *Scan) boundingSet() string {
	for _, pid := range []string{"1", "self"} {
		if b, err := s.Host.ReadFile("/proc/" + pid + "/status"); err == nil {
			return statusField(b, "CapBnd")
		}
	}
	return ""
}

// netOwners asks, once for each network namespace, which user namespace owns it.
func (s *Scan) netOwners(procs []*process, out *Outcome) map[uint64]uint64 {
	owners := map[uint64]uint64{}
	if !s.Host.Live() {
		return owners
	}
	refused := map[uint64]bool{}
	for _, p := range procs {
		if _, ok := owners[p.NS.Net]; ok || p.NS.Net == 0 {
			continue
		}
		f, err := s.Host.OpenNetns(fmt.Sprintf("/proc/%d/ns/net", p.PID), p.NS.Net)
		if err == nil {
			var owner uint64
			if owner, err = host.UserOwner(f); err == nil {
				owners[p.NS.Net] = owner
				delete(refused, p.NS.Net)
			}
			f.Close()
		}
		if err != nil && !gone(err) {
			refused[p.NS.Net] = true
		}
	}
	for ns := range refused {
		out.partial("owner of network namespace %d is unknown (needs CAP_SYS_PTRACE)", ns)
	}
	return owners
}

// sensitive lists the device files whose holder can reach the host, the hardware or other tenants.
var sensitive = []string{
	"/dev/mem", "/dev/kmem", "/dev/port", "/dev/kvm", "/dev/fuse", "/dev/net/tun", "/dev/vhost-net",
	"/dev/vhost-vsock", "/dev/vfio/", "/dev/uinput", "/dev/ipmi", "/dev/mei", "/dev/nvidia", "/dev/dri/",
	"/dev/kfd", "/dev/sd", "/dev/nvme", "/dev/vd", "/dev/xvd", "/dev/dm-", "/dev/loop", "/dev/mapper/",
	"/dev/mmcblk", "/dev/md", "/dev/hd", "/dev/ng", "/dev/nbd", "/dev/rbd", "/dev/zd", "/dev/drbd", "/dev/bcache", "/dev/pmem", "/dev/dasd", "/dev/sg", "/dev/bus/usb/", "/dev/cpu/", "/dev/snapshot", "/dev/watchdog", "/dev/tpm",
}

func sensitiveDevice(path string) bool {
	for _, s := range sensitive {
		if path == s || strings.HasPrefix(path, s) && (strings.HasSuffix(s, "/") || !strings.Contains(path[len(s):], "/")) {
			return true
		}
	}
	return false
}

// openDevices lists the sensitive devices that a process of a container or another mount namespace
// holds open. For others it would list every desktop's graphics card.
func (s *Scan) openDevices(p *process) (devices []string, whole bool) {
	if p.Container == "" {
		return nil, true
	}
	s.socketOwners()
	devices = slices.Clone(s.devices[p.PID])
	slices.Sort(devices)
	return slices.Compact(devices), !s.cutFDs[p.PID]
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
