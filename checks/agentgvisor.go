//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
	"strings"
)

// gvisor measures what runs in a sandbox of gVisor below a process of runsc. The command is no process of the host: its kernel is the sentry, whose
// network it has and whose capabilities it has not; its files come by the gofer. A set-uid program is one of that kernel alone. Without a sentry
// runsc only controls others.
func (m *measuring) gvisor(p *process) {
	list := m.descendants(p)
	role := func(title string) *process {
		if i := slices.IndexFunc(list, func(q *process) bool { return len(q.argv) > 0 && path.Base(q.argv[0]) == title }); i >= 0 {
			return list[i]
		}
		return nil
	}
	sentry, gofer := role("runsc-sandbox"), role("runsc-gofer")
	if sentry == nil {
		return
	}
	c := m.measure(sentry, "what runs in gVisor")
	if gofer != nil && c.Files != "unknown" {
		of := m.measure(gofer, "")
		c.Files, c.Writable = of.Files, of.Writable
	}
	for _, a := range sentry.argv { // what it writes stays in memory
		if a == "--overlay=true" || strings.HasPrefix(a, "--overlay2=all:") {
			c.Writable = nil
			if c.Files == "writable" || c.Files == "shared" {
				c.Files = "own"
			}
		}
	}
	if c.Capabilities != "unknown" {
		c.Capabilities = ""
	}
	m.out.Commands = append(m.out.Commands, c)
}

// descendants are a process and all below it.
func (m *measuring) descendants(p *process) []*process {
	list := []*process{p}
	for i := 0; i < len(list) && m.looked < maxBelowAgent; i++ {
		list = append(list, m.below[list[i].PID]...)
		m.looked++
	}
	return list
}
