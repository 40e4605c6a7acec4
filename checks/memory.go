//go:build linux && !ringfence_portable

package checks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// shmDir is where shm_open(3) keeps what is shared.
const shmDir = "/dev/shm"

// Bounds of what is looked at there: everybody may make files and directories in it.
const (
	maxShared   = 10_000 // names
	maxShmDepth = 16     // directories above one
)

// segments are those that were found, by kind and number.
type segments map[string]*snapshot.SharedSegment

// sharedMemory lists System V segments (/proc/sysvipc/shm) and files below /dev/shm, and who maps them.
// Reading the maps of every process costs most of it, so it happens only where there is a segment.
func (s *Scan) sharedMemory(ctx context.Context, procs []*process, out *Outcome) []snapshot.SharedSegment {
	segs := segments{}
	s.sysvSegments(segs, out)
	dev := uint64(0)
	if st, err := s.Host.Stat(shmDir); err == nil {
		dev = st.Dev
	}
	seen := 0
	dir, err := s.Host.OpenList(shmDir)
	if err != nil && !gone(err) {
		out.partialIn("memory", "POSIX shared memory: %v", err)
	}
	if err == nil && !shmFiles(segs, dir, shmDir, 0, &seen, out) {
		out.partialIn("memory", "%s has more than %d names, or is deeper than %d directories: those that no process maps are not all seen",
			shmDir, maxShared, maxShmDepth)
	}
	// What was removed and is still open or mapped counts among the file system's inodes, besides its root.
	if len(segs) > 0 || s.Host.Inodes(shmDir) > uint64(seen)+1 {
		clock := newClock()
		for _, p := range s.inTurns(procs) {
			if ctx.Err() != nil {
				out.partialIn("memory", "there was no time to look at all mappings; most of it was taken by %s", clock.slowest())
				break
			}
			party, start := s.party(p), time.Now()
			if clock.has(party) {
				s.mapped(p, dev, segs, out)
				clock.charge(party, start)
			}
		}
		for _, party := range sortedKeys(clock.over) {
			out.partialIn("memory", "there was no time to look at all mappings of %s", party)
		}
		for _, g := range segs {
			slices.Sort(g.PIDs)
		}
	}
	list := make([]snapshot.SharedSegment, 0, len(segs))
	for _, k := range sortedKeys(segs) {
		list = append(list, *segs[k])
	}
	return list
}

func (s *Scan) sysvSegments(segs segments, out *Outcome) {
	b, err := s.Host.ReadFile("/proc/sysvipc/shm")
	if err != nil {
		if !gone(err) {
			out.partialIn("memory", "System V shared memory: %v", err)
		}
		return
	}
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
}

// shmFiles adds the files of a directory and of those below it, counts all names, and says whether that were all. It closes
// the directory. Everybody may put a link in the place of what was a directory a moment ago: none is followed.
func shmFiles(segs segments, dir *host.Dir, name string, depth int, seen *int, out *Outcome) bool {
	defer dir.Close()
	names, err := dir.Names()
	whole := !errors.Is(err, host.ErrTooMany)
	if err != nil && !gone(err) && whole {
		out.partialIn("memory", "POSIX shared memory: %v", err)
	}
	for _, n := range names {
		if *seen++; *seen > maxShared {
			return false
		}
		at := path.Join(name, n)
		st, err := dir.Lstat(n)
		switch {
		case gone(err):
		case err != nil:
			out.partialIn("memory", "POSIX shared memory: %v", err)
		case st.IsDir && depth >= maxShmDepth:
			whole = false
		case st.IsDir:
			below, err := dir.Down(n)
			switch {
			case err == nil:
				whole = shmFiles(segs, below, at, depth+1, seen, out) && whole
			case !gone(err):
				out.partialIn("memory", "POSIX shared memory below %s: what was a directory is none of that file system any more", shmDir)
			}
		case st.Mode.IsRegular():
			segs.posix(st.Dev, st.Ino, at, st)
		}
	}
	return whole
}

func (g segments) posix(dev, ino uint64, name string, st host.Stat) *snapshot.SharedSegment {
	key := fmt.Sprintf("posix:%d:%d", dev, ino)
	if g[key] == nil {
		g[key] = &snapshot.SharedSegment{Kind: "posix", Name: name, Mode: st.Perm & 0o777, UID: st.UID}
	}
	return g[key]
}

// mapped adds a process to the segments that it maps: a System V segment shows as
// "/SYSV<key>" with the segment id as inode, a POSIX one by device and inode. One that is mapped is seen wherever it is,
// also if it was removed.
func (s *Scan) mapped(p *process, shm uint64, segs segments, out *Outcome) {
	if p.PID == os.Getpid() {
		return
	}
	b, err := patient(s, s.party(p), func() ([]byte, error) { return s.Host.ReadFile(fmt.Sprintf("/proc/%d/maps", p.PID)) })
	if err != nil {
		if !gone(err) && !denied(err) {
			out.partialIn("memory", "mappings of %s: %v", s.placeName(p), err)
		}
		return
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 6 || len(f[1]) < 4 || f[1][3] != 's' {
			continue
		}
		g := segs["sysv:"+f[4]]
		if !strings.HasPrefix(f[5], "/SYSV") {
			ma, mi, _ := strings.Cut(f[3], ":")
			major, _ := strconv.ParseUint(ma, 16, 32)
			minor, _ := strconv.ParseUint(mi, 16, 32)
			ino, _ := strconv.ParseUint(f[4], 10, 64)
			dev := mkdev(major, minor)
			if g = segs[fmt.Sprintf("posix:%d:%d", dev, ino)]; g == nil && dev == shm && shm != 0 {
				st, err := s.Host.Stat(fmt.Sprintf("/proc/%d/map_files/%s", p.PID, trimZeros(f[0])))
				if err == nil && st.Ino == ino {
					g = segs.posix(dev, ino, f[5], st)
				}
			}
		}
		if g != nil && (len(g.PIDs) == 0 || g.PIDs[len(g.PIDs)-1] != p.PID) {
			g.PIDs = append(g.PIDs, p.PID)
		}
	}
}

// trimZeros writes the range of a mapping as map_files names it: without leading zeros.
func trimZeros(addresses string) string {
	from, to, _ := strings.Cut(addresses, "-")
	return strings.TrimLeft(from, "0") + "-" + strings.TrimLeft(to, "0")
}

// mkdev composes a device number as stat(2) reports it (makedev(3)).
func mkdev(major, minor uint64) uint64 {
	return minor&0xff | (major&0xfff)<<8 | (minor&^0xff)<<12 | (major&^0xfff)<<32
}
