package finding

// Inventory is who and what is on a host, and what they have of it by other ways than packets. With the exposures it is what a threat model is
// drawn from (package threatmodel).
type Inventory struct {
	Parts     []Part     `json:"parts"`     // who and what is on the host
	Listeners []Listener `json:"listeners"` // what listens
	Uses      []Use      `json:"uses"`      // what parts have of each other and of the host
}

// The kinds of parts.
const (
	PartContainer = "container" // a container, a sandbox or a machine
	PartAgent     = "agent"     // an agent or a model runtime
	PartProcess   = "process"   // a process that counts as a workload
	PartService   = "service"   // a unit that runs as a user of the system
	PartAccount   = "account"   // somebody who logs in
	PartDaemon    = "daemon"    // of a container or machine runtime, by its control sockets
	PartServer    = "server"    // a program that manages the host or its cluster, or lets people log in
	PartStore     = "store"     // a file or directory that a workload shares with the host
)

// Ways by which a part lets somebody in.
const (
	AuthNone     = "none"
	AuthKey      = "key"
	AuthPassword = "password"
	AuthToken    = "token"
	AuthLogin    = "login" // an account of somebody else's service
)

// Part is somebody or something on a host. Its key stays when it is started again, and is what findings about it name.
type Part struct {
	Key  string `json:"key"`  // stays when it is started again
	Kind string `json:"kind"` // what it is
	Name string `json:"name"` // as people call it
	Zone string `json:"zone"` // host, runtime or workload
	// In is the key of the part that it runs in.
	In string `json:"in,omitempty"`
	// Networks are the interfaces of the host that its own network leads to.
	Networks []string `json:"networks,omitempty"`
	// Detail is what else tells it from others: an image, a version, how it was recognised.
	Detail string `json:"detail,omitempty"`
	// Auth are the ways by which it lets somebody in, as far as its settings tell: none, key, password, token, login.
	Auth []string `json:"auth,omitempty"`
	// Meant is why it is meant to have the powers of root, "" if it is not known to be.
	Meant string `json:"meant,omitempty"`
}

// Listener is a listening socket that the exposures are about.
type Listener struct {
	Key   string `json:"key"`            // as Service.Key of the exposures
	Class string `json:"class"`          // ssh, winrm, ipmi, runtime-api, agent, managed, other
	Part  string `json:"part,omitempty"` // the key of the part that it is of
	Name  string `json:"name,omitempty"` // of the program that has it
	// TLS is true or false where it is known whether clients are asked for certificates.
	TLS string `json:"tls,omitempty"`
}

// The kinds of uses.
const (
	UseSocket = "socket" // may write the control socket of a daemon
	UseMount  = "mount"  // sees a file or directory of the host
	UsePower  = "power"  // gets to a goal: root, filter or secret
)

// Use is what a part has of another one, or of the host.
type Use struct {
	From string `json:"from"` // key of a part
	Kind string `json:"kind"` // what it has
	// To is the key of the part that it is of; empty of powers, which have a goal.
	To     string `json:"to,omitempty"`
	Goal   string `json:"goal,omitempty"`   // root, filter, secret
	Object string `json:"object,omitempty"` // the path of a socket or a mount
	Write  bool   `json:"write,omitempty"`  // it can write there
	// Verdict is yes, no or unknown.
	Verdict string   `json:"verdict"`
	Steps   []string `json:"steps,omitempty"`   // how, of a yes
	Because []string `json:"because,omitempty"` // why it is unknown
	Trigger string   `json:"trigger,omitempty"` // when a way is open: none is at once
	Cut     []string `json:"cut,omitempty"`     // what to change so that no known way is left
	// WithRoot says of a power that it comes with being root.
	WithRoot bool `json:"withRoot,omitempty"`
}
