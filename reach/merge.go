package reach

import "slices"

// mergeFrom is how many sets of packets a chain leaves before those that differ in one field alone become one. Every rule that asks for a port and
// an address leaves one more beside it, and the routes divide each of them again. Of more than mergeTo it takes longer to find those that are alike
// than to follow them all.
const (
	mergeFrom = 16
	mergeTo   = 512
)

// joined are the fields that sets of packets are joined by, each with that of the conntrack entry, then those of the entry alone.
var joined = []struct{ now, sent field }{
	{fDport, fOrigDport},
	{fDaddr, fOrigDaddr},
	{fSport, fOrigSport},
	{fSaddr, fOrigSaddr},
	{fOrigDport, fOrigDport},
	{fOrigDaddr, fOrigDaddr},
	{fService, fService},
}

// merge joins sets of packets that differ in one of those fields alone: together they are the same packets.
func merge(in []cube) []cube {
	if len(in) < mergeFrom || len(in) > mergeTo {
		return in
	}
	for _, by := range joined {
		var out []cube
		at := map[uint64][]int{} // of out
		for i := range in {
			c := &in[i]
			key := c.key(by.now, by.sent)
			j := slices.IndexFunc(at[key], func(j int) bool { return sameBut(&out[j], c, by.now, by.sent) })
			if j < 0 {
				at[key] = append(at[key], len(out))
				out = append(out, *c)
				continue
			}
			d := &out[at[key][j]]
			*d = d.with(by.now, slices.Concat(d.sets[by.now], c.sets[by.now]).normal())
		}
		in = out
	}
	return in
}

// key is the same for cubes that are alike but for a field: the ends of the other sets.
func (c *cube) key(but, sent field) uint64 {
	var k uint64
	for f, s := range c.sets {
		k *= 0x9e3779b97f4a7c15
		if field(f) == but || field(f) == sent && c.kept(but) || len(s) == 0 {
			continue
		}
		k += uint64(len(s)) + s[0].lo.lo + 3*s[0].lo.hi + 5*s[len(s)-1].hi.lo + 7*s[len(s)-1].hi.hi
	}
	return k
}

// kept says whether a translation left a field as it was, so that it and the original one are the same.
func (c *cube) kept(f field) bool {
	switch f {
	case fDport:
		return c.keptPort
	case fDaddr:
		return c.keptAddr
	case fSport:
		return c.keptSport
	default:
		return false
	}
}

// sameBut says whether cubes are the same but for a field, and the original one where that is the same.
func sameBut(a, b *cube, but, sent field) bool {
	for f := range a.sets {
		if field(f) == but || field(f) == sent && a.kept(but) {
			continue
		}
		if !slices.Equal(a.sets[f], b.sets[f]) {
			return false
		}
	}
	return a.course == b.course && slices.Equal(a.doubts, b.doubts) && slices.Equal(a.trail, b.trail)
}
