// Package trial makes a fix: it plans, proves, loads on trial, audits again, and keeps the fix only if that audit is no worse and the
// fix is confirmed. Whatever ends the program, the trial ends too: rules stop by themselves in the kernel, and a boot takes a file back.
//
// It decides, and does nothing itself: all that it asks and does goes through a World. Store holds the state, which is written before
// anything is loaded. Package remedy has the rules and their proof, package dropin the files of services.
package trial

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/ruleset"
)

// The phases of a transaction.
const (
	PhaseTrial     = "trial"
	PhaseConfirmed = "confirmed"
)

// State is what is known of the last transaction. Times are of CLOCK_BOOTTIME, which no clock step moves.
type State struct {
	ID       string `json:"id"`
	Phase    string `json:"phase"`
	BootID   string `json:"bootId"`
	Netns    string `json:"netns"` // where it was loaded, as "net:[inode]"
	Applied  int64  `json:"applied"`
	Deadline int64  `json:"deadline"`
	// Confirmed is when a trial was confirmed that asks for a second confirmation; 0 is not yet.
	Confirmed int64 `json:"confirmed,omitempty"`
	// Audited says of a trial that the audit with it was made, and let it stay.
	Audited bool `json:"audited,omitempty"`
	// Generation is that of the ruleset with the trial that was audited last.
	Generation uint32 `json:"generation,omitempty"`
	// Network is the digest of the host's network at that audit.
	Network string `json:"network,omitempty"`
	// Undecided are the checks of what the plan closes that the audit with it could not decide.
	Undecided []string     `json:"undecided,omitempty"`
	Plan      *remedy.Plan `json:"plan,omitempty"`
	// Trial and Lasting are the plan's tables as the kernel told them in the replica.
	Trial   json.RawMessage `json:"trial,omitempty"`
	Lasting json.RawMessage `json:"lasting,omitempty"`
	// Working is what worked before, and must go on.
	Working []remedy.Working `json:"working,omitempty"`
	// Persisted says that the plan is loaded at boot, Booted is the tables as that makes them: nft can put the same
	// rules into other expressions.
	Persisted bool `json:"persisted"`
	// ByHand says that somebody has to have the plan loaded at boot: this host has no systemd.
	ByHand bool            `json:"byHand,omitempty"`
	Booted json.RawMessage `json:"booted,omitempty"`
	// Judged is by what the audits were made.
	Judged *Judged `json:"judged,omitempty"`
	// Again are the flags that the plan was made by, as people type them.
	Again string `json:"again,omitempty"`
	// Evidence is what the proof found.
	Evidence []string `json:"evidence,omitempty"`
	// File is a drop-in on trial, Files are those that were kept.
	File  *dropin.Applied  `json:"file,omitempty"`
	Files []dropin.Applied `json:"files,omitempty"`
	// Before is the confirmed state that a trial would replace.
	Before *State `json:"before,omitempty"`
}

// Judged is by what an audit is made: the text of its configuration, the directories of the user's policies, and a bundle with the key that it is
// signed with.
type Judged struct {
	Config   string   `json:"config,omitempty"`
	Policies []string `json:"policies,omitempty"`
	Bundle   string   `json:"bundle,omitempty"`
	Key      string   `json:"key,omitempty"`
}

// Errors that callers ask for.
var (
	// ErrBusy says that another fix is being made.
	ErrBusy = errors.New("another fix is at work")
	// ErrElsewhere says that the last fix was made in another network namespace of this boot.
	ErrElsewhere = errors.New("the last fix was made in another network namespace: run this there")
	// ErrNotPending says that there is no trial to confirm or to take out.
	ErrNotPending = errors.New("no trial is waiting for its confirmation")
)

// Ours says whether a fix is one of the network namespace that this process is in.
func (st *State) Ours(here Moment) error {
	if st != nil && st.BootID == here.Boot && st.Netns != here.Netns {
		return ErrElsewhere
	}
	return nil
}

// Pending says whether a trial of this boot waits for its confirmation, and for how much longer.
func (st *State) Pending(here Moment) (time.Duration, bool) {
	if st == nil || st.Phase != PhaseTrial || here.Boot != st.BootID || here.Netns != st.Netns {
		return 0, false
	}
	left := time.Duration(st.Deadline - here.Now)
	return left, left > 0
}

// AsksAgain says of a trial that it is not kept by the first confirmation. A host that lets in only what it knows can lose what has to be
// renewed now and then after a login was tried: neighbours, leases, names.
func (st *State) AsksAgain() bool {
	return st.Plan != nil && st.Plan.Mode == remedy.DefaultDeny && st.Confirmed == 0
}

// claim is what was proven of the plan.
func (st *State) claim() *remedy.Claim {
	return &remedy.Claim{Plan: st.Plan, Lasting: st.Lasting, Working: st.Working}
}

// whole says what a state that was read lacks.
func (st *State) whole() error {
	switch {
	case st.Phase != PhaseTrial && st.Phase != PhaseConfirmed:
		return errors.New("has no phase of a fix")
	case st.Plan == nil && st.File == nil && len(st.Files) == 0:
		return errors.New("has no plan")
	case st.Before != nil:
		return st.Before.whole()
	}
	return nil
}

// Kept says whether a transaction was confirmed, by the state that is there now.
func (st *State) Kept(now *State) bool {
	return now != nil && now.Phase == PhaseConfirmed && (now.ID == st.ID ||
		slices.ContainsFunc(now.Files, func(a dropin.Applied) bool { return a.ID == st.ID }))
}

// Altered says in what the rules on trial are no longer what was loaded.
func (st *State) Altered(rs *ruleset.Ruleset) error {
	if st.Trial == nil {
		return nil
	}
	return remedy.OnTrial(rs, st.Trial)
}

// Drift says in what the live ruleset is no longer what was confirmed.
func (st *State) Drift(rs *ruleset.Ruleset) error {
	err := remedy.Lasting(rs, st.Lasting)
	if err != nil && st.Booted != nil && remedy.Lasting(rs, st.Booted) == nil {
		return nil
	}
	return err
}

// Boots notes as what the plan is going to be loaded at boot.
func (st *State) Boots(b *Booted) (err error) {
	st.ByHand, st.Booted = b.ByHand != "", nil
	if b.Ruleset != nil {
		st.Booted, err = remedy.Rehearsed(b.Ruleset, st.Lasting)
	}
	return err
}

// Text tells in one line what is loaded, and what waits for its confirmation. Command is a command for people.
func (st *State) Text(here Moment, command func(verb string) string) string {
	if st == nil {
		return "no fix is loaded"
	}
	left, pending := st.Pending(here)
	switch {
	case pending && st.Confirmed != 0:
		return fmt.Sprintf("fix %s was confirmed once, and goes out in %s without a second confirmation: %s; keep it with %s, from another new login",
			st.ID, left.Round(time.Second), st.what(), command("confirm"))
	case pending:
		return fmt.Sprintf("fix %s is on trial for another %s: %s; keep it with %s", st.ID, left.Round(time.Second), st.what(), command("confirm"))
	case st.Phase == PhaseTrial:
		return fmt.Sprintf("fix %s was not confirmed in time; %s clears what is left of it", st.ID, command("rollback"))
	}
	lasts := "until the next boot"
	if st.Persisted || st.Plan == nil {
		lasts = "also after a boot"
	}
	return fmt.Sprintf("fix %s is confirmed: %s, %s", st.ID, st.what(), lasts)
}

// what is what the fix consists of.
func (st *State) what() string {
	var parts []string
	if st.Plan != nil {
		parts = append(parts, fmt.Sprintf("%d rules", len(st.Plan.Rules)))
	}
	if st.File != nil {
		parts = append(parts, "file "+st.File.File.Path)
	}
	for i := range st.Files {
		parts = append(parts, "file "+st.Files[i].File.Path)
	}
	return strings.Join(parts, ", ")
}
