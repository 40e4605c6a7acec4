package reach

// StoppedBy returns the packets of a question that one table stops, as they are sent, and the rule or
// policy of it. It reports false where the model could not follow every packet without a doubt.
func (m *Model) StoppedBy(q *Question, family, table string) ([]ProofCube, bool) {
	var out []ProofCube
	for _, o := range q.From {
		for _, v4 := range q.families() {
			e, in, a := m.askOne(q, o, v4, false, true)
			if a.Verdict == Unknown || len(a.tied) > 0 {
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
