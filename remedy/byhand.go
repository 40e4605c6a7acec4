package remedy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/finding"
)

// hand is one thing to do by hand, for several objects.
type hand struct {
	text    string
	command bool
	others  []string // the objects but the first
	closes  []string
	shares  []string // what it ends together with others
}

// maxOthers is how many objects a text names beside the first.
const maxOthers = 3

// hands are the things to do by hand.
type hands struct {
	of    map[string]*hand // by the text without the object
	same  map[string]*hand // by the text itself
	order []*hand
	held  map[string]string // by the message of a finding, what its settings would break
}

// to is the thing to do about a finding.
func (h *hands) to(f *finding.Finding, todo finding.Remediation) *hand {
	text := todo.Kind + " " + todo.Text
	if same := h.same[text]; same != nil {
		return same
	}
	key := text
	if todo.Kind != "command" && f.Resource.Key != "" {
		key = f.WithoutObject(text)
	}
	it := h.of[key]
	if it == nil {
		words := strings.TrimSpace(todo.Text)
		if todo.Kind == "systemd" {
			words = "unit of " + f.Resource.Key + ": " + words
		}
		it = &hand{text: words, command: todo.Kind == "command" && !strings.Contains(strings.TrimSpace(todo.Text), "\n")}
		h.of[key] = it
		h.order = append(h.order, it)
	} else {
		it.others = append(it.others, f.Resource.Key)
	}
	h.same[text] = it
	return it
}

// held are the settings of a plan that break something, with what that is. Nobody is told to make them without.
func (p *Plan) held() map[string]string {
	texts := map[string]string{}
	for i := range p.Manual {
		if m := &p.Manual[i]; m.Held {
			texts[m.What] = m.Text
		}
	}
	return texts
}

// whole is the first thing to do about a finding. If it is a denial the others are too: each closes a part.
func (h *hands) whole(f *finding.Finding) finding.Remediation {
	todo := f.Remediation[0]
	if text := h.held[f.Message]; text != "" {
		return finding.Remediation{Kind: "words", Text: text}
	}
	if todo.Deny == nil {
		todo.Text = strings.Join(append([]string{todo.Text}, forOthers(f, todo)...), "; ")
		return todo
	}
	var parts []string
	for _, rem := range f.Remediation {
		if rem.Deny != nil && !slices.Contains(parts, rem.Text) {
			parts = append(parts, rem.Text)
		}
	}
	todo.Text = strings.Join(parts, "; ")
	return todo
}

// forOthers is what else is to be done about a finding in the same way for its other zones, of a policy whose texts name those: one of them closes a part.
func forOthers(f *finding.Finding, todo finding.Remediation) (texts []string) {
	named := func(z string) string { return "the " + z + " zone" }
	i := slices.IndexFunc(f.Zones, func(z string) bool { return strings.Contains(todo.Text, named(z)) })
	if i < 0 || todo.Kind != "words" {
		return nil
	}
	for _, z := range f.Zones {
		text := strings.ReplaceAll(todo.Text, named(f.Zones[i]), named(z))
		if text != todo.Text && slices.ContainsFunc(f.Remediation, func(m finding.Remediation) bool { return m.Kind == todo.Kind && m.Text == text }) {
			texts = append(texts, text)
		}
	}
	return texts
}

// byHand adds what is left, findings of one cause together. What follows from others ends with what is done about those.
func byHand(r *finding.Report, plan *Plan, taken map[string]bool, add adder) {
	h := hands{of: map[string]*hand{}, same: map[string]*hand{}, held: plan.held()}
	list := left(r, taken)
	var follow []*finding.Finding
	for _, f := range list {
		if len(sources(r, f)) > 0 {
			follow = append(follow, f)
			continue
		}
		it := h.to(f, h.whole(f))
		it.closes = append(it.closes, f.Fingerprint)
	}
	for _, f := range follow {
		var all []*hand
		for _, source := range sources(r, f) {
			if it := h.to(source, h.whole(source)); !slices.Contains(all, it) {
				all = append(all, it)
			}
		}
		if f.Beside != "" {
			all = append(all, h.to(f, finding.Remediation{Kind: f.Remediation[0].Kind, Text: f.Beside}))
		}
		for _, it := range all {
			if len(all) == 1 {
				it.closes = append(it.closes, f.Fingerprint)
			} else {
				it.shares = append(it.shares, f.Fingerprint)
			}
		}
	}
	for _, it := range h.order {
		if n := len(it.others); n > 0 {
			it.text += "; so too " + strings.Join(it.others[:min(n, maxOthers)], ", ")
			if n > maxOthers {
				it.text += fmt.Sprintf(" and %d more", n-maxOthers)
			}
		}
		if it.command && len(it.others) == 0 {
			add(it.text, "run it as root", it.closes, it.shares)
		} else {
			add("", it.text, it.closes, it.shares)
		}
	}
}

// sources are the findings that one follows from, if each of them counts and is ended by hand: what a packet filter drops is open on the host still.
func sources(r *finding.Report, f *finding.Finding) (list []*finding.Finding) {
	for _, s := range f.Follows {
		i := slices.IndexFunc(r.Results, func(res finding.Result) bool { return res.ID == s.Check && res.Status == finding.Fail })
		if i < 0 {
			return nil
		}
		j := slices.IndexFunc(r.Results[i].Findings, func(f finding.Finding) bool { return f.Resource.Key == s.Key })
		if j < 0 {
			return nil
		}
		source := &r.Results[i].Findings[j]
		if source.Waiver.Holds() || len(source.Remediation) == 0 || source.Remediation[0].Deny != nil {
			return nil
		}
		list = append(list, source)
	}
	return list
}
