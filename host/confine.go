package host

// Confinement says what a process can no longer do, as it found out by trying.
type Confinement struct {
	NoNewPrivs   bool
	Capabilities string // "dropped", or what is held
	Landlock     string // "abi N", or "absent: " and why
	Seccomp      string // "filter", or "absent: " and why
	Files        string // "refused", or "open"
	Network      string // "refused", or "open"
	Programs     string // "refused", or "open"
}

// Refused and the others are the words of a Confinement.
const (
	Refused = "refused"
	Open    = "open"
	Dropped = "dropped"
)
