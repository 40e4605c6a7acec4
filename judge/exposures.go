package judge

import (
	"slices"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// maxExposures bounds the exposures that a report lists each by itself: of more, those of one zone that differ in nothing but origin and witness
// are one. Their number grows with sockets times interfaces.
const maxExposures = 10_000

// answersOf is how many answers there are about sockets: one for each origin and family.
func (b *builder) answersOf(sockets []int) (n int) {
	for _, i := range sockets {
		n += len(b.zones.Origins) * len(exposure.Families(&b.snap.Listeners.Sockets[i]))
	}
	return n
}

// expose joins the answers for a zone: reachable if any is, unknown if any is not known, else unreachable. Together says that the exposures of
// one zone that differ in nothing but origin and witness are listed as one.
func (b *builder) expose(sk *snapshot.Socket, svc *DocService, answers []exposure.Of, together bool) (list []finding.Exposure) {
	public := b.publicService(sk, svc)
	for i := range answers {
		a := &answers[i]
		o := &b.zones.Origins[a.Origin]
		origin := o.Interface
		if o.Local {
			origin = "local"
		}
		e := finding.Exposure{
			Service: public, Zone: o.Zone, Origin: origin, Family: familyName[a.V4],
			Verdict: string(a.Verdict), StoppedBy: causes(a.StoppedBy), Because: causes(a.Because), Checked: a.Checked,
		}
		if a.Witness != nil {
			e.Conditions = conditions(a.If)
		}
		var same *finding.Exposure
		if together {
			same = alike(list, &e)
		}
		if same != nil {
			same.Also = append(same.Also, e.Origin)
		}
		if same != nil && !svc.counts(a, o) {
			continue
		}
		if a.Witness != nil {
			e.Witness = "in " + a.Witness.In + " " + a.Witness.String()
			b.doc.condition(e.Witness, e.Conditions)
		}
		if same == nil {
			list = append(list, e)
		}
		svc.answer(&e, o.Local, a.Restricted, b.by(a.By))
	}
	return list
}

// answer joins the answer for one origin and family to that of its zone. By is what passes connections on, if the packets go there.
func (d *DocService) answer(e *finding.Exposure, local, restricted bool, by *DocBy) {
	old := d.Reach[e.Zone]
	one := DocReach{
		Verdict: packet.Verdict(e.Verdict), Origin: e.Origin, Local: local, Witness: e.Witness,
		Because: causeTexts(e.Because), StoppedBy: causeTexts(e.StoppedBy), Restricted: restricted,
	}
	if !overrides(old, one) {
		return
	}
	d.Reach[e.Zone] = one
	delete(d.By, e.Zone)
	if by != nil {
		if d.By == nil {
			d.By = map[string]DocBy{}
		}
		d.By[e.Zone] = *by
	}
}

// counts says whether an answer is another one for its zone than what is known of that.
func (d *DocService) counts(a *exposure.Of, o *zones.Origin) bool {
	return overrides(d.Reach[o.Zone], DocReach{Verdict: a.Verdict, Local: o.Local, Restricted: a.Restricted})
}

// searched bounds the exposures that one is compared with: an answer is mostly that of the origins before.
const searched = 16

// alike is the last of some exposures that differs from another one in nothing but origin and witness, nil where none does.
func alike(list []finding.Exposure, e *finding.Exposure) *finding.Exposure {
	for i := range min(searched, len(list)) {
		x := &list[len(list)-1-i]
		if x.Zone == e.Zone && x.Family == e.Family && x.Verdict == e.Verdict && x.Checked == e.Checked &&
			slices.Equal(x.StoppedBy, e.StoppedBy) && slices.Equal(x.Because, e.Because) && slices.Equal(x.Conditions, e.Conditions) {
			return x
		}
	}
	return nil
}

var verdictRank = map[packet.Verdict]int{"": 0, packet.Unreachable: 1, packet.Unknown: 2, packet.Reachable: 3}

// overrides says of two answers that the second one counts: among reachable ones, a network counts before the host.
func overrides(a, b DocReach) bool {
	ra, rb := verdictRank[a.Verdict], verdictRank[b.Verdict]
	return rb > ra || rb == ra && (a.Local && !b.Local || a.Restricted && !b.Restricted)
}
