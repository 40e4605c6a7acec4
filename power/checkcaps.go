package power

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ringfence/ringfence/snapshot"
)

func (k *checker) capabilities(st *State) error {
	deadly := uint64(1<<16 | 1<<17 | 1<<21 | 1<<22 | 1<<33 | 1<<39)
	if st.HostPID {
		deadly |= 1 << 19
	}
	for bit, name := range map[uint64]string{1 << 16: "kernel/modules_disabled", 1 << 22: "kernel/kexec_load_disabled"} {
		set := k.s.Kernel.Sysctls[name]
		if set.Value == "1" || set.State == snapshot.Absent && k.s.Kernel.Sysctls["kernel/core_pattern"].State == snapshot.Present {
			deadly &^= bit
		}
	}
	if st.Place != InContainer {
		deadly |= 1<<0 | 1<<1 | 1<<3 | 1<<7 | 1<<27 | 1<<31
		if err := k.ofGroupsAndRoots(st); err != nil {
			return err
		}
	}
	read := uint64(1 << 2)
	if st.Place != InContainer {
		read |= 1 << 6
	}
	switch {
	case st.Caps&deadly != 0:
		return fmt.Errorf("capabilities %x take the host over", st.Caps&deadly)
	case k.goal == Secret && st.Caps&read != 0:
		return fmt.Errorf("capabilities %x read every file", st.Caps&read)
	case k.goal == Filter && st.HostNet && st.Caps&(1<<12) != 0:
		return fmt.Errorf("CAP_NET_ADMIN is over the host's network")
	}
	return nil
}

// ofGroupsAndRoots refuses what becomes a member of groups that are not among the states, and what starts a program of root by a loader of its own.
func (k *checker) ofGroupsAndRoots(st *State) error {
	if st.Caps&(1<<18) != 0 && !st.NoNewPrivs && slices.ContainsFunc(k.s.Powers.Programs, func(p snapshot.GainProgram) bool {
		return p.SetUID != nil && *p.SetUID == 0 && runs(st, &p) && k.starts(st, &p)
	}) {
		return fmt.Errorf("CAP_SYS_CHROOT has a program of root run by another loader")
	}
	if st.Caps&(1<<6) == 0 {
		return nil
	}
	need := map[int]bool{}
	for _, g := range k.s.Powers.Groups {
		need[g.GID] = true
	}
	for i := range k.s.Powers.Files {
		for _, p := range k.s.Powers.Files[i].Permits {
			need[p.ID] = need[p.ID] || p.Who == snapshot.PermitGroup
		}
	}
	for _, gid := range st.Groups {
		delete(need, gid)
	}
	maps.DeleteFunc(need, func(_ int, is bool) bool { return !is })
	if to := *st; len(need) > 0 {
		if to.Groups = slices.Concat(st.Groups, slices.Sorted(maps.Keys(need))); !k.closed[to.key()] {
			return fmt.Errorf("CAP_SETGID becomes a member of %d groups", len(need))
		}
	}
	return nil
}

// starts says whether a state gets to a program and may have its powers.
func (k *checker) starts(st *State, p *snapshot.GainProgram) bool {
	kept := false
	for _, d := range p.Gates {
		kept = kept || st.Caps&(1<<1|1<<2) == 0 && !slices.ContainsFunc(d.Permits, func(q snapshot.Permit) bool { return holds(st, q) })
	}
	return k.getsBy(st, p.Path, false, true, kept)
}
