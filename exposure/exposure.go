// Package exposure answers who reaches what, once for everybody who asks: the audit, the commands and the proof of a fix.
//
// The packet model answers (package reach). A witness is followed by the tracer (package trace), and counts only if it
// arrives there; packets in doubt are tried in the same way. What is unreachable has a certificate, which package
// certificate checks. Where the second opinion is missing or another one, the answer is unknown and says so. Sockets of
// other network namespaces are asked about through the host and through their own filter.
package exposure

import (
	"context"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trace"
)

// Answer is the answer to one question.
type Answer struct {
	reach.Answer
	// Fate is what became of the witness on the host.
	Fate *trace.Fate
	// If is how the traffic before has to have left the rules that depend on it for the witness to arrive: nothing for most answers.
	If []packet.Condition
	// Checked says of a reachable answer that its witness arrived, of an unreachable one that its certificate held.
	Checked bool
	// By is the socket that the packets go to, of a program that passes connections on to the one that was asked about.
	By *snapshot.Socket
}

// Tally counts answers by how they came out.
type Tally struct {
	Reachable, Unreachable, Unknown int
	// Unconfirmed are answers of the model that became unknown, because the second look did not bear them out or there
	// was no effort left for it.
	Unconfirmed int
}

// Limits are what the questions about a host may cost, in steps of the packet model (reach.Effort). What is zero has the
// default of an audit.
type Limits struct {
	Host      int // the host's own questions
	Accounts  int // those about the sockets of all users but root
	Elsewhere int // those about all other network namespaces together
}

// Asker answers questions about one host. It is not safe for concurrent use.
type Asker struct {
	party
	limits Limits
	names  func(netns uint64) string
	gates  map[gateKey]*gates
	// leading is what gateLinks found.
	leading []int
	// crossed is what crossings found, routers are the namespaces among them that were asked.
	crossed map[int][]crossing
	routers map[uint64]*party
}

// New prepares questions about a host. What is not answered before ctx ends is unknown. In reasons, a network namespace is
// called what names says; names may be nil.
func New(ctx context.Context, s *snapshot.Snapshot, l Limits, names func(netns uint64) string) *Asker {
	l = Limits{orDefault(l.Host, hostSteps), orDefault(l.Accounts, accountSteps), orDefault(l.Elsewhere, elsewhereSteps)}
	effort := &reach.Effort{Whose: "the host", Left: l.Host, Context: ctx}
	return &Asker{
		party:  party{side: &side{snap: s, tally: new(Tally)}, model: reach.NewModel(s).Within(effort), effort: effort},
		limits: l, names: names, gates: map[gateKey]*gates{}, routers: map[uint64]*party{},
	}
}

func orDefault(n, d int) int {
	if n == 0 {
		return d
	}
	return n
}

// Asking has programs on the way of single packets asked what they do with them, by what runs them; nil asks none.
func (a *Asker) Asking(r packet.Runner) *Asker {
	if r != nil {
		a.tracer().Ask(r)
	}
	return a
}

// Tally is the count of the answers until now.
func (a *Asker) Tally() Tally { return *a.tally }

// Effort is that of the host's own questions.
func (a *Asker) Effort() *reach.Effort { return a.effort }

// Tracer follows single packets over the host.
func (a *Asker) Tracer() *trace.Tracer { return a.tracer() }

// StoppedBy tells the packets of a question that rules or policies of some tables stop or may stop (reach.Model.StoppedBy).
func (a *Asker) StoppedBy(q *reach.Question, by func(*packet.Cause) bool) ([]packet.Cube, bool) {
	return a.model.StoppedBy(q, by)
}

// AlikeBeside names what decides about frames between two ports of a bridge (reach.Model.AlikeBeside).
func (a *Asker) AlikeBeside(from, to int) string { return a.model.AlikeBeside(from, to) }

// StoppedBeside tells the packets from port to port of a bridge that rules or policies of some tables stop or may stop.
func (a *Asker) StoppedBeside(q *reach.Question, by func(*packet.Cause) bool) ([]packet.Cube, bool) {
	return a.model.StoppedBeside(q, by)
}
