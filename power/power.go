// Package power answers what somebody on the host can become: from a workload, an agent, a service or an account to root of the host, to its
// packet filter, or to its secrets.
//
// A state is a set of credentials and what it sees of the host. An edge leads from a state to another one, or to a goal, by something that a
// snapshot shows: a file that somebody else runs, a rule of sudo, a program with other powers, a control socket, a capability. The answer is
// yes with the cheapest way, no with the states that are ever entered, which Check goes through again on its own, or unknown with the edges that
// are not known to be there.
package power

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// Granted is what each no takes for granted: what is not looked at.
var Granted = []string{
	"the kernel and the programs of root have no holes",
	"programs of root run and read as settings nothing besides what units, tables, arguments, variables, scripts and files of /etc name",
	"files of packages that were not looked at, deep below /usr without --deep, are root's alone",
	"scripts of root run no program whose name they only get while they run",
	"daemons of root do nothing more for who asks them over a network, or by a unix socket that they are known for",
	"daemons of users that no people have (below uid 1000) do nothing for others as those users",
	"logs, dumps of memory and other files that are not meant to hold secrets hold none",
	"the host is as it was when it was looked at",
}

// Goal is what somebody can become or get.
type Goal string

// The goals. Who is root gets the others too.
const (
	Root   Goal = "root"   // uid 0 with the capabilities of the host
	Filter Goal = "filter" // rewriting the host's packet filter
	Secret Goal = "secret" // reading passwords or private keys of the host
)

// Goals are all goals.
var Goals = []Goal{Root, Filter, Secret}

// Text is a goal in words.
func (g Goal) Text() string {
	switch g {
	case Root:
		return "root of the host"
	case Filter:
		return "the host's packet filter"
	default:
		return "secrets of the host"
	}
}

// Kind is what a principal is.
type Kind string

// The kinds of principals.
const (
	Workload Kind = "workload" // a container, a sandbox, a machine
	Agent    Kind = "agent"    // an agent, or what it started
	Service  Kind = "service"  // a process of a user of the system
	Account  Kind = "account"  // somebody who logs in
)

// Principal is whom a question is about: a process in a place with some powers, or an account. Its key stays when it is started again.
type Principal struct {
	Key   string `json:"key"`   // stays when it is started again
	Name  string `json:"name"`  // as people call it
	Kind  Kind   `json:"kind"`  // what it is
	State State  `json:"state"` // what it is at first
	// Meant is why it is meant to become root: it decides who does. "" if it is not known to be.
	Meant string `json:"meant,omitempty"`
}

// State is what somebody is and sees. Ids are the host's.
type State struct {
	UID    int   `json:"uid"`              // of the host
	Groups []int `json:"groups,omitempty"` // the first is the effective one
	// Caps are capabilities over the host's own user namespace that it has or can get.
	Caps uint64 `json:"caps,omitempty"`
	// Lacks are capabilities that its bounding set lacks: no program gives it those (capabilities(7)). Unbound says that this is not known.
	Lacks   uint64 `json:"lacks,omitempty"`
	Unbound bool   `json:"unbound,omitempty"` // its bounding set is not known
	// Inherits are capabilities that it hands to programs whose files say that they take them, outside of containers.
	Inherits uint64 `json:"inherits,omitempty"`
	// Place is what it sees of the host's files: all of them, those of a mount namespace of a host's process, or those of a container.
	Place     Place  `json:"place"`
	View      int    `json:"view,omitempty"`      // of an own mount namespace: which view of the snapshot, counted from one
	Container string `json:"container,omitempty"` // that it is in
	HostPID   bool   `json:"hostPID,omitempty"`   // it sees the processes of the host
	HostNet   bool   `json:"hostNet,omitempty"`   // its capabilities are over the host's network
	InNet     bool   `json:"inNet,omitempty"`     // it is in the host's network
	// Offline: its network leads nowhere.
	Offline bool `json:"offline,omitempty"`
	// Relayed: a program carries its network, as one of the host, or how its network is connected was not seen.
	Relayed bool `json:"relayed,omitempty"`
	// OwnUser says that it is in a user namespace of its own: no capability is over anything of the host.
	OwnUser    bool `json:"ownUser,omitempty"`
	NoNewPrivs bool `json:"noNewPrivs,omitempty"` // no program gives it more
	// Confined is a security label, or a filter of system calls of a service, whose rules are not read here.
	Confined string `json:"confined,omitempty"`
}

// Place is what a state sees of the host's files.
type Place string

// The places.
const (
	OnHost      Place = "host"
	Apart       Place = "apart" // a mount namespace of its own, with other mounts than the host's
	InContainer Place = "container"
)

// key tells states apart.
func (s *State) key() string { return fmt.Sprintf("%+v", *s) }

// in says whether a state has a group.
func (s *State) in(gid int) bool { return slices.Contains(s.Groups, gid) }

// has says whether a state has a capability, by its number.
func (s *State) has(c int) bool { return s.Caps&(1<<c) != 0 }

// Edge is a way from a state to another one or to a goal.
type Edge struct {
	Kind EdgeKind `json:"kind"` // of way
	// Object is what it leads by: a path, a rule, a capability.
	Object string `json:"object"`
	// Text says in one sentence what gives what.
	Text    string           `json:"text"`
	Trigger snapshot.Trigger `json:"trigger"` // when it is open
	// Unknown is why it is not known to be there; "" if it is.
	Unknown string `json:"unknown,omitempty"`
	Goal    Goal   `json:"goal,omitempty"` // that it leads to
	To      *State `json:"to,omitempty"`   // what one is then
	// Change is what takes the edge away.
	Change string `json:"change,omitempty"`
}

// EdgeKind is what an edge leads by.
type EdgeKind string

// The kinds of edges.
const (
	ByFile       EdgeKind = "file"
	BySudo       EdgeKind = "sudo"
	ByDoas       EdgeKind = "doas"
	ByPolkit     EdgeKind = "polkit"
	ByBus        EdgeKind = "bus"
	ByProgram    EdgeKind = "program"
	BySocket     EdgeKind = "socket"
	ByNetwork    EdgeKind = "network"
	ByCapability EdgeKind = "capability"
	ByMount      EdgeKind = "mount"
	ByDevice     EdgeKind = "device"
	ByProcess    EdgeKind = "process"
	ByAccount    EdgeKind = "account"
	BySelf       EdgeKind = "self"
)

// Verdict is an answer.
type Verdict string

// The answers.
const (
	Yes     Verdict = "yes"
	No      Verdict = "no"
	Unknown Verdict = "unknown"
)

// Answer says whether a principal gets to a goal.
type Answer struct {
	Principal Principal `json:"principal"` // who
	Goal      Goal      `json:"goal"`      // what
	Verdict   Verdict   `json:"verdict"`   // yes, no or unknown
	// Path is the cheapest way; of an unknown answer the cheapest one if what is not known is there.
	Path []Edge `json:"path,omitempty"`
	// Trigger is the latest on the way.
	Trigger snapshot.Trigger `json:"trigger,omitempty"`
	// Because is why an answer is unknown.
	Because []string `json:"because,omitempty"`
	// Unsearched says of an unknown answer that nothing is open but whether there are set-id programs outside of the directories of packages.
	Unsearched bool `json:"unsearched,omitempty"`
	// Closed are the states that are ever entered, of a no: Check goes through them.
	Closed []State `json:"closed,omitempty"`
	// Cut are the changes that together end all ways that are known, the fewest that were found.
	Cut []string `json:"cut,omitempty"`
}

// Graph is a snapshot, ready to be asked.
type Graph struct {
	snap     *snapshot.Snapshot
	apis     []API
	accounts map[int]*snapshot.Account // by uid, the first of each
	names    map[string]*snapshot.Account
	groups   map[string]int   // ids of groups by name, as far as rules name them
	of       map[string][]int // files by the program that loads them
	edges    map[string][]Edge
	gaps     []string // why no answer is no
	searched bool     // all programs with other powers are known
	checker  *checker // of answers, once there is one
	cut      map[string]bool
}

// API is an interface over TCP by which whoever connects to it runs anything as a user: that of a container runtime that asks for no certificate.
type API struct {
	Name string // of the service
	UID  int    // as whom
	// Unsure is why it is not known that it asks for nothing; "" if it does not.
	Unsure string
	// Workloads says whether it is reached from workloads that have a network of their own: Yes, No or Unknown.
	Workloads Verdict
	Because   string // of Unknown
}

// New makes a graph of a snapshot and the interfaces of runtimes on its network.
func New(s *snapshot.Snapshot, apis []API) *Graph {
	g := &Graph{snap: s, apis: apis, accounts: map[int]*snapshot.Account{}, names: map[string]*snapshot.Account{}, groups: map[string]int{}, of: map[string][]int{}, edges: map[string][]Edge{}}
	for i := range s.Powers.Accounts {
		a := &s.Powers.Accounts[i]
		g.names[a.Name] = a
		if g.accounts[a.UID] == nil {
			g.accounts[a.UID] = a
		}
	}
	for i := range s.Powers.Files {
		if of := s.Powers.Files[i].Of; of != "" {
			g.of[of] = append(g.of[of], i)
		}
	}
	for _, group := range s.Powers.Groups {
		g.groups[group.Name] = group.GID
	}
	g.gaps = lacks(s)
	g.searched = s.Powers.Searched == snapshot.SearchedAll
	return g
}

// needed are the sections of a snapshot, and parts of them, without which no answer is no.
var needed = []string{
	"powers", "processes.power", "processes.groups", "processes.devices", "runtimes", "listeners.ip", "listeners.namespaces", "network", "nftables",
}

// lacks says which of what is needed was not read whole, and why.
func lacks(s *snapshot.Snapshot) (list []string) {
	for _, n := range needed {
		section, part, _ := strings.Cut(n, ".")
		if c := s.Section(section); c.Part(part) != snapshot.OK {
			why := fmt.Sprintf("%s (%s): %s", section, c.Status, cmp.Or(strings.Join(c.Reasons, "; "), "it was not read"))
			if !slices.Contains(list, why) {
				list = append(list, why)
			}
		}
	}
	return list
}

// account is somebody who logs in as a uid.
func (g *Graph) account(uid int) *State { return account(g.snap, g.accounts[uid], uid) }

// cost is the place of a trigger in their order, counted from one step on.
func cost(t snapshot.Trigger) int { return slices.Index(snapshot.Triggers, t) }

// When is when a way with that trigger is open, in words.
func When(t snapshot.Trigger) string {
	switch t {
	case snapshot.TriggerTimer:
		return "at the next run of a timer"
	case snapshot.TriggerRestart:
		return "at the next restart"
	case snapshot.TriggerLogin:
		return "at the next login"
	case snapshot.TriggerOperator:
		return "if a person helps: by a password, or by running it"
	default:
		return "at once"
	}
}
