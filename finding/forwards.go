package finding

import "iter"

// EachForward goes through the forwards of a report, also through those that are too many to be listed one by one: of these it has no witness and no
// reasons.
func (r *Report) EachForward() iter.Seq[*Forward] {
	return func(yield func(*Forward) bool) {
		for i := range r.Forwards {
			if !yield(&r.Forwards[i]) {
				return
			}
		}
		if len(r.ForwardsLeftOut) == 0 {
			return
		}
		zones := map[string]string{}
		for _, z := range r.Zones {
			zones[z.Name] = z.Zone
		}
		for i := range r.ForwardsLeftOut {
			l := &r.ForwardsLeftOut[i]
			for _, to := range l.To {
				f := &Forward{From: l.From, FromZone: zones[l.From], To: to, ToZone: zones[to], Family: l.Family, Verdict: l.Verdict}
				switch why := []Cause{{Text: "the report does not list why, of so many"}}; l.Verdict {
				case "reachable":
				case "unreachable":
					f.StoppedBy = why
				default:
					f.Because = why
				}
				if !yield(f) {
					return
				}
			}
		}
	}
}
