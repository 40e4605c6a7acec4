package remedy

import (
	"path"
	"slices"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// process is a process of the snapshot, whose list is in the order of pids, nil where it was not seen.
func process(s *snapshot.Snapshot, pid int) *snapshot.Process {
	i, ok := slices.BinarySearchFunc(s.Processes.List, pid, func(p snapshot.Process, pid int) int { return p.PID - pid })
	if !ok {
		return nil
	}
	return &s.Processes.List[i]
}

// inOrder is the snapshot with its processes in the order of pids.
func inOrder(s *snapshot.Snapshot) *snapshot.Snapshot {
	byPID := func(a, b snapshot.Process) int { return a.PID - b.PID }
	if slices.IsSortedFunc(s.Processes.List, byPID) {
		return s
	}
	clone := *s
	clone.Processes.List = slices.Clone(s.Processes.List)
	slices.SortStableFunc(clone.Processes.List, byPID)
	return &clone
}

// isProgram says of the owner of a socket that it is one of these programs of the host: root runs it outside of any container, and root
// alone can write it. The name of a process is what the process likes.
func isProgram(s *snapshot.Snapshot, o snapshot.Owner, names ...string) bool {
	p := process(s, o.PID)
	return p != nil && p.UID == 0 && p.Container == "" && p.ExeWord.Trusted() && slices.Contains(names, path.Base(p.Exe))
}

// vouched says of a socket that whoever administers the host has it there: the kernel, root, a service of the system or a pod that
// root's runtime put into the host's network. A port that a user or a container took says nothing of what must go on working.
func vouched(s *snapshot.Snapshot, k *snapshot.Socket) bool {
	if k.OwnerState == snapshot.OwnersKernel {
		return true
	}
	seen := false
	for _, o := range k.Owners {
		p := process(s, o.PID)
		switch {
		case p == nil:
			continue
		case p.Container != "" && p.ContainerWord.Trusted() && p.Pod != "":
			return true
		case zones.OfSystem(p), k.UID == 0 && p.Container == "" && p.ExeWord.Trusted(): // root opened it, before the daemon became another user
			return true
		}
		seen = true
	}
	return !seen && k.UID == 0 // who holds it was not seen: its uid is the kernel's word
}

// onHost says of a socket that it is in the host's own network.
func onHost(s *snapshot.Snapshot, k *snapshot.Socket) bool {
	return k.Netns == 0 || k.Netns == s.Network.HostNetns()
}

// forWorkload says of a socket that none but processes of the host that run for the workload zone have it: an agent is a service of the system
// too, and has programs of root's do what it likes.
func forWorkload(s *snapshot.Snapshot, m *zones.Map, k *snapshot.Socket) bool {
	seen := false
	for _, o := range k.Owners {
		p := process(s, o.PID)
		if p == nil {
			continue
		}
		if p.Container != "" || !m.RunsForWorkload(p) {
			return false
		}
		seen = true
	}
	return seen
}
