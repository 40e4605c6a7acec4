package snapshot

// Gaps are the parts of a host that could not be seen at all, and whether everything was seen whole.
func (s *Snapshot) Gaps() (refused []Coverage, whole bool) {
	whole = true
	for _, c := range s.Coverage {
		switch c.Status {
		case OK, Absent:
		case Partial:
			whole = false
		default: // denied, error, and whatever else is none of these
			whole = false
			refused = append(refused, c)
		}
	}
	return refused, whole
}
