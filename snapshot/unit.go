package snapshot

// UnitFact says whether a process is what a unit of the system's manager runs: its main process, root's or the unit's
// user's, of the program that the unit starts and that root alone can write. It is the word of the kernel and of that manager
// (systemctl show, org.freedesktop.systemd1(5)). The zero UnitFact is no: nobody verified it.
type UnitFact struct {
	Unit     string `json:"unit"`          // unit whose cgroup it is in; empty is none
	Verified bool   `json:"verified"`      // it is what the unit runs
	Why      string `json:"why,omitempty"` // why it is not
}

// Is says whether the process is verified to be what this unit runs.
func (f UnitFact) Is(unit string) bool { return f.Verified && f.Unit == unit }
