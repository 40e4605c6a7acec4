package reach

import "slices"

// StoppedBy returns the packets of a question that one table stops or may stop, as they are sent, and the
// rule or policy of it: what is in doubt is followed every way. It reports false where there were too many
// ways, or the host was not read.
func (m *Model) StoppedBy(q *Question, family, table string) ([]ProofCube, bool) {
	var out []ProofCube
	for _, o := range q.From {
		for _, v4 := range q.families() {
			e, in, a := m.askOne(q, o, v4, false, true)
			complex := func(c Cause) bool { return c.Text == errTooComplex.Error() }
			if e == nil && a.Verdict == Unknown || len(a.tied) > 0 || slices.ContainsFunc(a.Because, complex) {
				return nil, false
			}
			if e == nil {
				continue // there are no such packets
			}
			name := "local"
			if in != nil {
				name = in.Name
			}
			for i := range e.proof {
				if by := e.proof[i].by; by.Family == family && by.Table == table {
					c := e.proof[i].cube.sent()
					out = append(out, ProofCube{c.region(name), by})
				}
			}
		}
	}
	return out, true
}
