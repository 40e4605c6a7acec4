package finding

import "iter"

// EachExposure goes through the exposures of a report one by one, also through those that are listed together: of these the first alone has a
// witness.
func (r *Report) EachExposure() iter.Seq[*Exposure] {
	return func(yield func(*Exposure) bool) {
		for i := range r.Exposures {
			e := &r.Exposures[i]
			if !yield(e) {
				return
			}
			if len(e.Also) == 0 {
				continue
			}
			other := *e
			other.Also, other.Witness = nil, ""
			for _, other.Origin = range e.Also {
				if !yield(&other) {
					return
				}
			}
		}
	}
}
