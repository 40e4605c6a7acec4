package snapshot

// Powers is by what somebody who is on the host becomes more than they are: files that others run or read, programs that change who runs
// them, rules of sudo. A file of which root alone decides gives nobody anything: it is counted, and not listed.
type Powers struct {
	// Looked is how many files and directories were looked at.
	Looked int `json:"looked"`
	// those that somebody besides root can change, or read if they are secrets; and those of which that is not known
	Files []LeverFile `json:"files,omitempty"`
	// Alone are those elsewhere than packages and settings have theirs of which nobody decides but root, and the user as whom they are run, whose
	// permits they have: who has them mounted in a container, or is that user with less, decides of them too.
	Alone []LeverFile `json:"alone,omitempty"`
	// those that run with other powers than who starts them has: set-user-ID, set-group-ID, file capabilities
	Programs []GainProgram `json:"programs,omitempty"`
	// Searched says how far programs were looked for.
	Searched string     `json:"searched,omitempty"`
	Sudo     []SudoRule `json:"sudo,omitempty"` // in the order of sudoers(5): of rules that fit the last counts
	// SudoRead says whether the rules of sudo are known: absent where there is no sudo.
	SudoRead Fact `json:"sudoRead,omitzero"`
	// Doas are the rules of doas, in their order. DoasRead says whether they are known: absent where there are none.
	Doas     []DoasRule `json:"doas,omitempty"`
	DoasRead Fact       `json:"doasRead,omitzero"` // present, or why they are not known; absent where there is no doas.conf(5)
	// Polkit is what polkit lets somebody do without a password; PolkitRead is absent where it is not installed.
	Polkit     []PolkitGrant `json:"polkit,omitempty"`
	PolkitRead Fact          `json:"polkitRead,omitzero"` // present, or why it is not known
	// Bus are the names of root's services on the system bus; BusRead is absent where there is no bus.
	Bus      []BusName `json:"bus,omitempty"`
	BusRead  Fact      `json:"busRead,omitzero"`   // present, or why they are not known
	Accounts []Account `json:"accounts,omitempty"` // those of /etc/passwd
	// EmptyPasswords: su takes an empty password of everybody (pam_unix(8), nullok).
	EmptyPasswords bool `json:"emptyPasswords,omitempty"`
	// Groups are the groups of the host.
	Groups []NamedGroup `json:"groups,omitempty"`
	// SubIDs are the ids that somebody may have in a user namespace of their own (subuid(5), subgid(5)).
	SubIDs []SubIDs `json:"subIDs,omitempty"`
	// Exports are directories that NFS lets clients write as root.
	Exports []RootExport `json:"exports,omitempty"`
	// Views are what processes see of the host's files that have mounts or a root directory of their own, and are in no container. Points are
	// where the host has file systems mounted.
	Views  []View   `json:"views,omitempty"`
	Points []string `json:"points,omitempty"` // paths of mounts that nothing covers
}

// View is what some processes see of the host's files (systemd.exec(5), ProtectSystem=, InaccessiblePaths=, RootDirectory=; chroot(2)).
type View struct {
	PIDs   []int       `json:"pids"`             // in their order
	Mounts []ViewMount `json:"mounts,omitempty"` // what paths lead to in it; those below /proc and /sys are left out
	// Unread is why the mounts are not known.
	Unread string `json:"unread,omitempty"`
}

// ViewMount is a mount of a view that nothing covers.
type ViewMount struct {
	At string `json:"at"` // path of the mount, as the processes see it
	// Of is the path by which the host has what is seen there, "" if it has it by none; Under is the mount of the host that it is in.
	Of     string `json:"of,omitempty"`
	Under  string `json:"under,omitempty"`  // point of the host's mount that the path above is in; empty if there is none
	RO     bool   `json:"ro,omitempty"`     // it is read-only
	NoSUID bool   `json:"nosuid,omitempty"` // programs do not change who runs them there (mount(8), nosuid)
	NoExec bool   `json:"noexec,omitempty"` // no program is run from it (mount(8), noexec)
	// Own: it is a file system that can have programs, and the host does not see it.
	Own bool `json:"own,omitempty"`
}

// How far programs with other powers are looked for.
const (
	SearchedPath = "path" // the directories in which packages have programs and their helpers
	SearchedAll  = "all"  // every file system of the host's own tree
)

// LeverFile is a file or a directory by which those who write it, or read it, get more than they have.
type LeverFile struct {
	Path string    `json:"path"` // absolute; of a socket without a file its name after an @
	Kind LeverKind `json:"kind"` // what it is for: to be run, read, looked through, connected to, or to set the system up
	// By is what runs or reads it: a unit, a file of cron, a program.
	By string `json:"by,omitempty"`
	// UID is as whom it is run or read.
	UID     int     `json:"uid"`
	Trigger Trigger `json:"trigger,omitempty"` // when it is run or read, from at once to when a person does something
	// Permits are those besides root who can change it, or read it if it is a secret.
	Permits []Permit `json:"permits,omitempty"`
	// Gates are the directories on the way to the places of permits that not everybody gets through.
	Gates []Gate `json:"gates,omitempty"`
	// Of is the program that loads it, or looks for libraries there.
	Of string `json:"of,omitempty"`
	// Unsure is why it is not known to be run or read.
	Unsure string `json:"unsure,omitempty"`
	// Unread is why the permits are not known.
	Unread string `json:"unread,omitempty"`
	// Gives is what a unit gives it that somebody who logs in as that user lacks.
	Gives *LeverGives `json:"gives,omitempty"`
}

// LeverGives are capabilities and groups with which a unit runs something as a user (systemd.exec(5)).
type LeverGives struct {
	Caps   string `json:"caps,omitempty"`   // those among AmbientCapabilities= that lead to more, as 16 hexadecimal digits; empty is none
	Groups []int  `json:"groups,omitempty"` // gids of Group= and SupplementaryGroups= that the user is not in otherwise
	// Unsure is why it is not known that they are of use: the unit keeps it from something.
	Unsure string `json:"unsure,omitempty"`
}

// LeverKind is what a file is for.
type LeverKind string

// The kinds of files that give more than their permissions.
const (
	LeverProgram LeverKind = "program" // is run
	LeverUnit    LeverKind = "unit"    // settings of systemd, and directories of them
	LeverSearch  LeverKind = "search"  // a directory in which programs or libraries are looked for
	LeverLogin   LeverKind = "login"   // read by the shell or the SSH server for somebody who logs in
	LeverSystem  LeverKind = "system"  // accounts, sudo, PAM, the loader and other settings of the system
	LeverDevice  LeverKind = "device"  // the disks and the memory of the host
	LeverFilter  LeverKind = "filter"  // what loads the packet filter
	LeverSecret  LeverKind = "secret"  // is read: passwords and private keys
	LeverSocket  LeverKind = "socket"  // is connected to: a daemon of root answers; @NAME is one without a file
)

// ClusterCredentials is what a secret is by which a cluster lets somebody in, which runs what it is told on its hosts.
const ClusterCredentials = "credentials of a cluster"

var leverKinds = []LeverKind{LeverProgram, LeverUnit, LeverSearch, LeverLogin, LeverSystem, LeverDevice, LeverFilter, LeverSecret, LeverSocket}

// Trigger is when what a file says is done.
type Trigger string

// The triggers, the first comes at once and the last needs a person.
const (
	TriggerNone     Trigger = "none"
	TriggerTimer    Trigger = "timer"    // cron, a timer of systemd
	TriggerRestart  Trigger = "restart"  // of a unit or the host
	TriggerLogin    Trigger = "login"    // of whom the file belongs to
	TriggerOperator Trigger = "operator" // somebody starts it, or gives a password
)

// Triggers are the triggers in their order.
var Triggers = []Trigger{TriggerNone, TriggerTimer, TriggerRestart, TriggerLogin, TriggerOperator}

// Permit is somebody who can change or read a file, and by what.
type Permit struct {
	Who PermitKind `json:"who"`          // user, group, or all for everybody
	ID  int        `json:"id,omitempty"` // of a user or a group
	At  string     `json:"at"`           // the file, or the directory above it that is open to them
}

// Gate is a directory that only some besides root get through, or get to let themselves through.
type Gate struct {
	At      string   `json:"at"`                // path of the directory
	Permits []Permit `json:"permits,omitempty"` // who besides root gets through; empty is nobody
}

// PermitKind is whom a permission is for.
type PermitKind string

// Whom permissions are for.
const (
	PermitUser  PermitKind = "user"
	PermitGroup PermitKind = "group"
	PermitAll   PermitKind = "all"
)

// GainProgram is a program that has other powers than who runs it.
type GainProgram struct {
	Path   string `json:"path"`             // absolute
	SetUID *int   `json:"setuid,omitempty"` // uid that it runs as; missing if it is not set-user-ID
	SetGID *int   `json:"setgid,omitempty"` // gid that it runs with; missing if it is not set-group-ID
	// Caps is its permitted capabilities, as 16 hexadecimal digits (capabilities(7), file capabilities).
	Caps string `json:"caps,omitempty"`
	// Inherits is its inheritable capabilities: it has those of them that who starts it inherits.
	Inherits string `json:"inherits,omitempty"`
	// Mode, UID and GID say who can run it.
	Mode uint32 `json:"mode"`
	UID  int    `json:"uid"` // of the owner
	GID  int    `json:"gid"` // of the group of the file
	// Gates are the directories on the way to it that not everybody gets through.
	Gates []Gate `json:"gates,omitempty"`
	// LoadsHere: it loads libraries from the directory in which it is started. LoadsUnread is why it is not known which it loads.
	LoadsHere   bool   `json:"loadsHere,omitempty"`
	LoadsUnread string `json:"loadsUnread,omitempty"` // empty where they are known
}

// SudoRule is whom sudo lets run what (sudoers(5)).
type SudoRule struct {
	// Users are names, %GROUP, #UID, %#GID, ALL, or +NETGROUP and %:GROUP of a directory, whose members are not known. One with a ! before it is kept
	// out; of those that are somebody the last counts.
	Users []string `json:"users"`
	// As are those whom commands run as, likewise; empty is root, if there are no groups. AsGroups are the groups that they can run with.
	As       []string      `json:"as,omitempty"`
	AsGroups []string      `json:"asGroups,omitempty"` // names, or #GID; one with a ! before it is kept out
	Commands []SudoCommand `json:"commands"`           // in their order: of those that fit the last counts
	// Password says that it asks for the password of who runs it.
	Password bool `json:"password,omitempty"`
	SetEnv   bool `json:"setenv,omitempty"` // who runs it may set any variable for the command (sudoers(5), SETENV)
	// Partly says that the rule has something that is not followed, such as a negation.
	Partly string `json:"partly,omitempty"`
}

// SudoCommand is a command with its arguments as sudoers has them, ALL, or one that is taken away.
type SudoCommand struct {
	Text string `json:"text"`          // pattern of a path, with arguments if it has any; ALL is every command
	Not  bool   `json:"not,omitempty"` // what was given before is taken away (a ! before it)
}

// RootExport is a directory that the kernel's NFS server lets a client write as whoever it says it is, root too (exports(5), no_root_squash). Ports of root
// alone are asked from, unless AnyPort; OwnHost says that the client is the host itself.
type RootExport struct {
	Dir     string `json:"dir"`               // path of the directory on the host
	To      string `json:"to"`                // client as the table of exports has it: an address, a network, a name, a netgroup or *
	AnyPort bool   `json:"anyPort,omitempty"` // requests from ports of any user are answered (insecure)
	OwnHost bool   `json:"ownHost,omitempty"` // the client is the host itself
}

// DoasRule is whom doas lets run what, or not: of those that match the last one decides (doas.conf(5)).
type DoasRule struct {
	Permit bool `json:"permit,omitempty"` // it lets; else it denies
	// Identity is a name or a number of a user, or of a group after a colon; As is the user whom commands run as, "" is everybody.
	Identity string `json:"identity"`
	As       string `json:"as,omitempty"` // name or number of the user; empty is everybody
	// Command is as it is typed, "" is every command. Exact: with these arguments alone.
	Command string   `json:"command,omitempty"`
	Args    []string `json:"args,omitempty"`  // with which the command has to be called; empty also where any will do
	Exact   bool     `json:"exact,omitempty"` // the command is let run with those arguments alone, none if there are none
	// Password says that it asks for the password of who runs it.
	Password bool `json:"password,omitempty"`
}

// PolkitGrant is an action that polkit(8) lets somebody do without a password. Whoever meets all of it: with no user and no group it is everybody.
type PolkitGrant struct {
	File   string `json:"file"`             // that has it: of actions or of rules
	Action string `json:"action,omitempty"` // "" is every action
	// Users and Groups all have to be those of who asks.
	Users  []string `json:"users,omitempty"`
	Groups []string `json:"groups,omitempty"` // names of the groups that who asks has to be in
	// Session: who is logged in at the machine itself.
	Session bool `json:"session,omitempty"`
	// Narrower: it is for some objects of the action alone, such as one unit.
	Narrower bool `json:"narrower,omitempty"`
	// Exec is the program that pkexec(1) runs as root by the action, with its first argument if only that is meant.
	Exec []string `json:"exec,omitempty"`
	// Unread is why the file is not followed; then nothing else is known of it.
	Unread string `json:"unread,omitempty"`
}

// BusName is a service of root on the system bus, and what the policies of the bus say of who may ask it: the last rule that is for somebody counts.
type BusName struct {
	Name  string    `json:"name"`            // well-known name, as org.freedesktop.systemd1
	Rules []BusRule `json:"rules,omitempty"` // in the order in which the bus applies them
}

// BusRule is whom the bus lets ask a service, or not.
type BusRule struct {
	Who     PermitKind `json:"who"`               // user, group, or all for everybody
	ID      int        `json:"id,omitempty"`      // uid or gid; 0 of everybody
	Console bool       `json:"console,omitempty"` // who is logged in at the machine itself
	Allow   bool       `json:"allow,omitempty"`   // it lets them; else it denies
	// Narrow: it is about some calls alone.
	Narrow bool `json:"narrow,omitempty"`
}

// Account is an account of the host.
type Account struct {
	Name   string `json:"name"`             // login name (passwd(5))
	UID    int    `json:"uid"`              // number of the user; 0 is root
	GID    int    `json:"gid"`              // of the primary group
	Groups []int  `json:"groups,omitempty"` // gids of the other groups that it is a member of (group(5))
	Login  bool   `json:"login,omitempty"`  // it has a shell
	Home   string `json:"home,omitempty"`   // path of the home directory
	// NoPassword: its password is empty (shadow(5)).
	NoPassword bool `json:"noPassword,omitempty"`
}

// SubIDs are ids of users, or of groups, from the first on, that newuidmap(1) or newgidmap(1) lets an account have.
type SubIDs struct {
	UID    int  `json:"uid"`              // of the account
	First  int  `json:"first"`            // the lowest id of the range
	Count  int  `json:"count"`            // how many ids there are from the first on
	Groups bool `json:"groups,omitempty"` // they are ids of groups (subgid(5)); else of users (subuid(5))
}

// Has says whether an id is one of them.
func (s *SubIDs) Has(id int) bool { return id >= s.First && id-s.First < s.Count }

// NamedGroup is a group of the host.
type NamedGroup struct {
	Name string `json:"name"` // as group(5) has it
	GID  int    `json:"gid"`  // number of the group
}
