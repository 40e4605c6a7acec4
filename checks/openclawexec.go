//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"fmt"
	"slices"
)

// openClawExec is what of tools.exec decides where commands run and who is asked before. Newer versions have one mode instead of security and ask.
type openClawExec struct {
	Host     string `json:"host"`
	Mode     string `json:"mode"`
	Security string `json:"security"`
	Ask      string `json:"ask"`
}

// openClawTools is what decides on the tools of all agents, or of one.
type openClawTools struct {
	Exec     openClawExec `json:"exec"`
	Elevated struct {
		Enabled   *bool          `json:"enabled"`
		AllowFrom map[string]any `json:"allowFrom"`
	} `json:"elevated"`
}

// execModes are the modes of tools.exec as security and ask ("Modes", docs/tools/exec.md of OpenClaw).
var execModes = map[string]openClawExec{
	"deny":      {Security: "deny", Ask: "off"},
	"allowlist": {Security: "allowlist", Ask: "off"},
	"ask":       {Security: "allowlist", Ask: "on-miss"},
	"auto":      {Security: "allowlist", Ask: "on-miss"},
	"full":      {Security: "full", Ask: "off"},
}

// over is what counts where one object stands over another: each word of the first that it has.
func (e openClawExec) over(below openClawExec) openClawExec {
	if m, ok := execModes[e.Mode]; ok {
		e.Security, e.Ask = m.Security, m.Ask
	}
	return openClawExec{
		Host:     cmp.Or(e.Host, below.Host),
		Security: cmp.Or(e.Security, below.Security),
		Ask:      cmp.Or(e.Ask, below.Ask),
	}
}

// words are those that can be variables.
func (e openClawExec) words() []string { return []string{e.Host, e.Mode, e.Security, e.Ask} }

// execFreedom orders what may run.
var execFreedom = []string{"deny", "allowlist", "full"}

// freer says of security whether it lets more run than another; without a word everything may.
func freer(a, b string) bool {
	return slices.Index(execFreedom, cmp.Or(a, "full")) > slices.Index(execFreedom, cmp.Or(b, "full"))
}

// anybody says whether elevated tools are for everybody who writes on some channel. They are on unless they are switched off.
func (t openClawTools) anybody() bool {
	if t.Elevated.Enabled != nil && !*t.Elevated.Enabled {
		return false
	}
	for _, v := range t.Elevated.AllowFrom {
		if list, ok := v.([]any); ok && slices.Contains(list, any("*")) {
			return true
		}
	}
	return false
}

// narrows says whether an agent keeps elevated tools from some of those whom all agents let in.
func (t openClawTools) narrows() bool {
	return t.Elevated.Enabled != nil && !*t.Elevated.Enabled || len(t.Elevated.AllowFrom) > 0 && !t.anybody()
}

// freeTools keeps who has no sandbox and what these may run, and lets go of what can be of any size. An agent whose commands are sent to the
// gateway has a sandbox for nothing (tools.exec.host).
func (f *openClawFile) freeTools() {
	f.agents = len(f.Agents.Entries)+len(f.Agents.List) > 0
	standard := cmp.Or(f.Agents.Defaults.Sandbox.Mode, f.Agent.Sandbox.Mode)
	f.exec = f.Tools.Exec.over(openClawExec{})
	f.words = append(f.Tools.Exec.words(), standard)
	f.elevatedAny = f.Tools.anybody()
	on := f.Tools.Elevated.Enabled
	f.elevated = on != nil && *on || on == nil && len(f.Tools.Elevated.AllowFrom) > 0 // they are for nobody without a list
	var free []openClawExec
	narrow := f.agents
	note := func(id string, a openClawAgent) {
		e := a.Tools.Exec.over(f.exec)
		f.words = append(append(f.words, a.Tools.Exec.words()...), a.Sandbox.Mode)
		narrow = narrow && a.Tools.narrows()
		switch {
		case cmp.Or(a.Sandbox.Mode, standard) != "all":
			f.weak = append(f.weak, id)
		case e.Host == "gateway":
			f.weak = append(f.weak, id+" (tools.exec.host: gateway)")
		default:
			return
		}
		free = append(free, e)
	}
	for id, a := range f.Agents.Entries {
		note(id, a)
	}
	for _, a := range f.Agents.List {
		note(a.ID, a)
	}
	if !f.agents && standard == "all" {
		note("main", openClawAgent{})
	}
	for i, e := range free {
		if i == 0 || freer(e.Security, f.exec.Security) {
			f.exec = e
		}
	}
	f.elevatedAny = f.elevatedAny && !narrow
	slices.Sort(f.weak)
	if n := len(f.weak); n > maxWeakAgents {
		f.weak = append(slices.Clone(f.weak[:maxWeakAgents]), fmt.Sprintf("and %d others", n-maxWeakAgents))
	}
	f.words = slices.DeleteFunc(f.words, func(w string) bool { return unresolved(w) == "" })
	f.words = slices.Clone(f.words[:min(len(f.words), 1)])
	f.Agents.Entries, f.Agents.List = nil, nil
	f.Tools = openClawTools{}
}
