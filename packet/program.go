package packet

// Attached is where a program of bpf(2) is that sees packets.
type Attached string

// The places whose programs the kernel runs over one packet where it is asked to (BPF_PROG_TEST_RUN).
const (
	AtXDP     Attached = "xdp"
	AtIngress Attached = "ingress" // of traffic control, tcx or clsact
	AtEgress  Attached = "egress"
	AtGets    Attached = "cgroup ingress"
	AtSends   Attached = "cgroup egress"
)

// Frame is a packet as a program meets it.
type Frame struct {
	Data           []byte // from the Ethernet header on
	Mark, Priority uint32
	Index          int // of the interface that it comes in or leaves by
	From           int // of the one that it came in by, of what leaves; 0 where the host sent it
}

// Ran is what a program answered.
type Ran struct {
	Verdict        uint32
	Data           []byte
	Mark, Priority uint32
	// Reads is what it looks at beside the bytes of the packet and its maps.
	Reads Reads
}

// Reads says which parts of what the kernel knows beside a packet a program looks at, whether it writes one, and whether it writes over bytes of the packet.
type Reads struct{ Mark, Priority, Writes, Bytes bool }

// Runner has the kernel run a program that is loaded, once for each frame. It refuses one that could change something by it, or whose answer could
// hang on what a run does not have: the error names that.
type Runner interface {
	Run(at Attached, id uint32, tag string, f *Frame) (Ran, error)
}
