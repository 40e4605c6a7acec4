package checks

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sort"
	"strconv"
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
	for _, p := range procs {
		if ctx.Err() != nil {
			out.fail("read processes", ctx.Err())
			return out
		}
		v := p.Process
		v.NetOwner = owners[v.NS.Net]
		v.Devices = s.openDevices(p)
		switch {
		case slices.Equal(v.Unread, []string{"exe"}), v.PID == 1 && len(v.Unread) > 0:
			// Its power is known, and its arguments still name the program. Process 1 is the host itself
			// by definition, whatever its namespaces are.
			nameless++
		case len(v.Unread) > 0:
			refused++
		}
		sec.List = append(sec.List, v)
	}
	if refused > 0 {
		out.partial("%s not be read whole (needs CAP_SYS_PTRACE, or another security module refuses)",
			count(refused, "process could", "processes could"))
	}
	if nameless > 0 {
		out.partialIn("programs", "the program file of %s not be read",
			count(nameless, "process could", "processes could"))
	}
	sec.Shared = s.sharedMemory(procs, out)
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
	"/dev/bus/usb/", "/dev/cpu/", "/dev/snapshot", "/dev/watchdog", "/dev/tpm",
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
func (s *Scan) openDevices(p *process) []string {
	if p.Container == "" {
		return nil
	}
	dir := "/proc/" + strconv.Itoa(p.PID) + "/fd"
	names, err := s.Host.ReadDir(dir)
	if err != nil {
		return nil
	}
	seen := map[string]bool{}
	for _, n := range names {
		if link, err := s.Host.Readlink(dir + "/" + n); err == nil && sensitiveDevice(link) {
			seen[link] = true
		}
	}
	return sortedKeys(seen)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// sharedMemory lists System V segments (/proc/sysvipc/shm) and files of /dev/shm, and who maps them.
// Reading the maps of every process costs most of it, so it happens only where there is a segment.
func (s *Scan) sharedMemory(procs []*process, out *Outcome) []snapshot.SharedSegment {
	segs := map[string]*snapshot.SharedSegment{}
	if b, err := s.Host.ReadFile("/proc/sysvipc/shm"); err == nil {
		for i, line := range strings.Split(string(b), "\n") {
			f := strings.Fields(line)
			if i == 0 || len(f) < 8 {
				continue
			}
			mode, _ := strconv.ParseUint(f[2], 8, 32)
			segs["sysv:"+f[1]] = &snapshot.SharedSegment{
				Kind: "sysv", Name: f[1], Mode: uint32(mode) & 0o777, UID: atoi(f[7]),
			}
		}
	} else if !gone(err) {
		out.partial("System V shared memory: %v", err)
	}
	names, err := s.Host.ReadDir("/dev/shm")
	if err != nil && !gone(err) {
		out.partial("POSIX shared memory: %v", err)
	}
	for _, n := range names {
		st, err := s.Host.Stat("/dev/shm/" + n)
		if err == nil && st.Mode.IsRegular() {
			segs[fmt.Sprintf("posix:%d:%d", st.Dev, st.Ino)] = &snapshot.SharedSegment{
				Kind: "posix", Name: "/dev/shm/" + n, Mode: st.Perm & 0o777, UID: st.UID,
			}
		}
	}
	if len(segs) > 0 {
		s.mapped(procs, segs)
	}
	list := make([]snapshot.SharedSegment, 0, len(segs))
	for _, k := range sortedKeys(segs) {
		list = append(list, *segs[k])
	}
	return list
}

// mapped adds to each segment the processes that map it: a System V segment shows as
// "/SYSV<key>" with the segment id as inode, a POSIX one by device and inode.
func (s *Scan) mapped(procs []*process, segs map[string]*snapshot.SharedSegment) {
	for _, p := range procs {
		if p.PID == os.Getpid() {
			continue
		}
		b, err := s.Host.ReadFile(fmt.Sprintf("/proc/%d/maps", p.PID))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) < 6 || len(f[1]) < 4 || f[1][3] != 's' {
				continue
			}
			key := "sysv:" + f[4]
			if !strings.HasPrefix(f[5], "/SYSV") {
				ma, mi, _ := strings.Cut(f[3], ":")
				major, _ := strconv.ParseUint(ma, 16, 32)
				minor, _ := strconv.ParseUint(mi, 16, 32)
				key = fmt.Sprintf("posix:%d:%s", mkdev(major, minor), f[4])
			}
			if g := segs[key]; g != nil && (len(g.PIDs) == 0 || g.PIDs[len(g.PIDs)-1] != p.PID) {
				g.PIDs = append(g.PIDs, p.PID)
			}
		}
	}
}

// mkdev composes a device number as stat(2) reports it (makedev(3)).
func mkdev(major, minor uint64) uint64 {
	return minor&0xff | (major&0xfff)<<8 | (minor&^0xff)<<12 | (major&^0xfff)<<32
}
