package trial

import (
	"cmp"
	"context"
	"time"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// World is all that a trial asks of the machine and of people, and all that it does to them. Live is this machine.
type World struct {
	Clock  Clock
	Store  Store
	Tables Tables
	Live   Ruleset
	Files  Files
	Boot   Boot
	Helper Helper
	People People
	Alarm  Alarm
	Sight  Sight
	Host   Host
	// Program is how this program is started by who logs in anew; "" is by its name alone.
	Program string
	// Suffix is what the commands that people are told end with.
	Suffix string
}

// command is a whole one for people.
func (w *World) command(verb string) string { return w.told(verb) + w.Suffix }

// again is the command that makes a fix once more as it was made, for people.
func (w *World) again(st *State) string { return w.command("apply" + st.Again) }

// wayOut is the way out of what nobody has a state of, for people.
func (w *World) wayOut() string { return w.command("rollback") + " takes it out" }

// told is a command for people, without what it ends with (Options.Suffix).
func (w *World) told(verb string) string { return cmp.Or(w.Program, "ringfence") + " fix " + verb }

// Moment is when and where a process is.
type Moment struct {
	Boot  string // the id of the boot (/proc/sys/kernel/random/boot_id)
	Netns string // the network namespace, as "net:[inode]"
	Now   int64  // nanoseconds of CLOCK_BOOTTIME, which no clock step moves and which goes on while the host sleeps
}

// Clock is the only clock that a trial knows.
type Clock interface {
	Here() (Moment, error)
	// Lives says whether a network namespace of this boot is still there, as far as can be seen.
	Lives(netns string) bool
	Sleep(time.Duration)
}

// Store keeps the state of the last fix over the end of this process and of the host.
type Store interface {
	// Lock makes sure that one fix is made at a time; ErrBusy says that one is. It ends with the process.
	Lock() (unlock func(), err error)
	// Load is the state, nil where there is none. A DamagedError says that there is one that cannot be read.
	Load() (*State, error)
	// Save replaces the state by another: after an error it is the old one.
	Save(*State) error
	Forget() error
	// Clear removes what else is kept beside the state.
	Clear() error
}

// Tables are ours in the kernel; each bears the id of its fix and says whether that is on trial. Each change of them is one transaction: all of it holds after it, or nothing.
type Tables interface {
	// Try loads a proven plan on trial where the ruleset is still of that generation (else remedy.ErrChanged). Its drops stop by
	// themselves after gate.
	Try(p *remedy.Proof, generation uint32, gate time.Duration, id string) error
	// Promote makes the plan on trial the lasting one, Reload loads one again in place of whatever is there.
	Promote(p *remedy.Plan, id string) error
	// Prolong has the drops of the plan on trial work for gate from now on.
	Prolong(p *remedy.Plan, gate time.Duration, id string) error
	Reload(p *remedy.Plan, id string) error
	// Withdraw removes what is on trial, Silence switches it off where that fails. Remove removes everything of our names. Tables that are
	// spared stay.
	Withdraw(spare ...remedy.TableName) error
	Silence(spare ...remedy.TableName) error
	Remove(spare ...remedy.TableName) error
	// Delete removes tables that are somebody else's.
	Delete(...remedy.TableName) error
}

// Ruleset is what is loaded, of everybody.
type Ruleset interface {
	Read(context.Context) (*ruleset.Ruleset, error)
	// Ours are the tables alone that have names of ours, whoever made them.
	Ours(context.Context) (*ruleset.Ruleset, error)
	Changes() (Changes, error)
	// Cut ends the open connections to what the plan closes, and says how many.
	Cut(context.Context, *remedy.Plan) (int, error)
}

// Changes are those of the live ruleset.
type Changes interface {
	// Next waits for one, at most for limit.
	Next(ctx context.Context, limit time.Duration) (remedy.Change, bool)
	Close()
}

// Files puts files of services in place. Package dropin says what each does.
type Files interface {
	Record(*dropin.File) (*dropin.Applied, error)
	Place(context.Context, *dropin.Applied) error
	Holds(context.Context, *dropin.Applied) error
	TakeBack(context.Context, *dropin.Applied) error
	// Changed says whether somebody made another of a file since it was put in place: TakeBack keeps that beside it.
	Changed(*dropin.Applied) bool
}

// Boot is what the next boot does.
type Boot interface {
	// Arm has it take back a drop-in that is on trial, and Disarm not.
	Arm() error
	Disarm() error
	// Rehearse says as what a boot would load the plan of a confirmed fix, Persist has it do so, and Unpersist not.
	Rehearse(ctx context.Context, p *remedy.Plan, id string) (Booted, error)
	Persist(context.Context, *Booted) error
	Unpersist(context.Context) error
	// Strange are the files with names of ours that are somebody else's: all the others leave them alone. Delete removes them.
	Strange() []string
	Delete(...string) error
	// Persists says whether the next boot has anything of a fix, and what it lacks to load that plan; "" is nothing.
	Persists(p *remedy.Plan, id string) (some bool, lacks string)
}

// Booted is a plan as a boot loads it.
type Booted struct {
	// Text is the file.
	Text string
	// Ruleset is what nft made of it in a rehearsal, nil where this program loads it.
	Ruleset *ruleset.Ruleset
	// ByHand is the file that somebody has to have loaded, where nothing does; else "".
	ByHand string
}

// Helper is the process that takes a trial out when its time is over.
type Helper interface {
	// Ready says why none may be started.
	Ready() error
	// Start starts it for the fix of that id. It outlives this process; with tells it to take the trial out once this one is gone.
	Start(id string, with bool) error
}

// People is who started the fix, or confirms it.
type People interface {
	Say(format string, args ...any)
	// Show shows a plan, ShowFile the text of a file.
	Show(*remedy.Plan)
	ShowFile(*dropin.File)
	// Terminal says whether somebody could answer. Ask asks for a word, and waits for it at most for limit.
	Terminal() bool
	Ask(ctx context.Context, question, want string, limit time.Duration) bool
	// Login is the login that this process belongs to, and when it began, in nanoseconds of CLOCK_BOOTTIME; "" is none.
	Login() (program string, start int64, err error)
}

// Alarm is heard by everybody who is logged in, and by who reads the journal: it is for what nobody may be waiting to be told.
type Alarm interface {
	Raise(text string)
}

// Sight is the host as it is seen.
type Sight interface {
	// See looks at the host, or with names only at those parts of it.
	See(ctx context.Context, only ...string) (*snapshot.Snapshot, error)
	// Proven says why what was proven does not hold on the host as it is now, with the tables of others that are there.
	Proven(ctx context.Context, c *remedy.Claim, now *snapshot.Snapshot) error
	// StillCloses says what a plan that is loaded closes no longer on the host as it is now.
	StillCloses(ctx context.Context, p *remedy.Plan, now *snapshot.Snapshot) error
	// Audit judges the host as it is now as it was judged before.
	Audit(ctx context.Context, by *Judged, now *snapshot.Snapshot) (*finding.Report, error)
}

// Host is the host as it is judged and planned for.
type Host interface {
	Judge(context.Context, *snapshot.Snapshot) (*finding.Report, error)
	// Plan is the whole of what is to be closed, also what a table of ours closes already.
	Plan(context.Context, *snapshot.Snapshot) (*remedy.Plan, error)
	Prove(context.Context, *remedy.Plan, *snapshot.Snapshot) (*remedy.Proof, error)
	// Reads are the sections of a snapshot, or parts of them, that a check reads.
	Reads(check string) []string
}
