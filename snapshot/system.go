package snapshot

import "github.com/ringfence/ringfence/ruleset"

// System is what else decides who gets in: secrets beside those of Powers, accounts, consoles, what loads a packet filter at boot, the
// clock, and versions of packages that have had holes.
type System struct {
	// Readable is secrets that somebody else than root can read.
	Readable []Readable `json:"readable,omitempty"`
	// Accounts are those with uid 0 besides root, and those that need no password.
	Accounts []OpenAccount `json:"accounts,omitempty"`
	// Consoles are the terminals on which somebody is logged in without being asked.
	Consoles []Console `json:"consoles,omitempty"`
	Clock    Clock     `json:"clock,omitzero"` // whether the time is right, and what keeps it so
	// Firewalls are the services that load a packet filter at boot and are installed.
	Firewalls []BootService `json:"firewalls,omitempty"`
	// FirewallsRead says whether it could be seen what is started at boot: systemd's directories, or why not.
	FirewallsRead Fact `json:"firewallsRead,omitzero"`
	// Persisted is the packet filter that nftables.service loads at boot.
	Persisted Persisted `json:"persisted,omitzero"`
	// PersistedMore is what other services that are started at boot load then, each by its name.
	PersistedMore []Persisted `json:"persistedMore,omitempty"`
	// Cloud is whose machine the host is, by its firmware or cloud-init: aws, gcp, azure, ...; absent if it shows none.
	Cloud Fact `json:"cloud,omitzero"`
	// Packages are those that have a floor in the data file, with their versions; PackagesRead is the database that told.
	Packages     []Package `json:"packages,omitempty"`
	PackagesRead Fact      `json:"packagesRead,omitzero"` // present with the path of the database; else why the versions are not known
}

// Readable is a secret of root's or of a cluster that somebody else can read.
type Readable struct {
	Path string `json:"path"` // of the file
	Kind string `json:"kind"` // cluster, key
	Who  string `json:"who"`  // who can read it, in words
}

// Kinds of secrets.
const (
	SecretCluster = "cluster" // credentials of a Kubernetes cluster
	SecretKey     = "key"     // other private keys and credentials of root's
)

// OpenAccount is an account that is root besides root, or that needs no password.
type OpenAccount struct {
	Name string `json:"name"` // login name (passwd(5))
	UID  int    `json:"uid"`  // number of the user; 0 is root
	// Empty says that its password is empty (shadow(5)).
	Empty bool `json:"empty,omitempty"`
	// Shell says that it lets somebody in.
	Shell bool `json:"shell,omitempty"`
}

// Console is a terminal on which a getty logs somebody in by itself (agetty(8), --autologin).
type Console struct {
	TTY      string `json:"tty,omitempty"`  // name of the terminal below /dev; empty if it is not known
	User     string `json:"user"`           // who is logged in; somebody, if that is not known
	Unit     string `json:"unit,omitempty"` // unit of systemd that the getty or login is of; empty is none
	Evidence string `json:"evidence"`       // what shows it, in words
}

// Clock is what keeps the time of the host.
type Clock struct {
	// Synchronised is yes or no, as the kernel says (adjtimex(2), STA_UNSYNC).
	Synchronised Fact `json:"synchronised"`
	// Services are the programs that run and keep the time.
	Services []string `json:"services,omitempty"`
}

// BootService is a service that loads a packet filter.
type BootService struct {
	Name    string `json:"name"`    // of the unit of systemd
	Enabled bool   `json:"enabled"` // it is started at boot
}

// Package is an installed package.
type Package struct {
	Name    string `json:"name"`    // as the database of packages has it
	Version string `json:"version"` // as the database of packages has it, with the revision of the distribution
}

// Persisted is a packet filter as a file has it, loaded into a network namespace of its own and read back.
type Persisted struct {
	// Loader is the service; empty in System.Persisted.
	Loader string `json:"loader,omitempty"`
	File   string `json:"file,omitempty"` // path of the file that was loaded
	// Read is present where the file was loaded; absent where no service loads one that is known.
	Read    Fact             `json:"read"`
	Ruleset *ruleset.Ruleset `json:"ruleset,omitempty"` // as the kernel had it once it was loaded; missing where none was
	// Left are chains that were not worked out, as of a zone of firewalld with rich rules.
	Left []string `json:"left,omitempty"`
}
